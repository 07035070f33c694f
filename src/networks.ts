import { BlockList, isIP } from 'node:net'

/** Networks in CIDR notation, IPv4 and IPv6; a bare address is the network of itself. */

function parse(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', given, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || address.includes('%') || rest.length > 0) return undefined
  const most = version === 4 ? 32 : 128
  const prefix = given === undefined ? most : /^(0|[1-9]\d{0,2})$/.test(given) ? Number(given) : Number.NaN
  return prefix <= most ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined
}

/** Whether a text is a network: `10.0.0.0/8`, `2001:db8::/32` or an address. */
export const isNetwork = (text: string): boolean => parse(text) !== undefined

/** Whether an address belongs to one of some networks. */
export type Networks = (address: string) => boolean

/** An IPv4 address as a socket of both families writes it. */
const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** Networks made ready for questions; undefined when there are none, which means: from anywhere. What is no network admits nobody. */
export function compileNetworks(texts: readonly string[] | undefined): Networks | undefined {
  if (!texts || texts.length === 0) return undefined
  const list = new BlockList()
  for (const text of texts) {
    const network = parse(text)
    if (network) list.addSubnet(network.address, network.prefix, network.family)
  }
  return address => {
    const plain = mapped.exec(address)?.[1] ?? address
    const version = isIP(plain)
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}
