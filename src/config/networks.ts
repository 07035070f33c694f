import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net'

/** Network addresses: whose a request is, and networks in CIDR notation, IPv4 and IPv6. A bare address is the network of itself. */

/** In place of an address that a proxy did not name, or not in a form that can be read. It belongs to no network. */
export const unknownAddress = 'unknown'

/** `192.0.2.7:4711`, `[2001:db8::7]` and `[2001:db8::7]:4711`, as some proxies write them. */
const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/
const inBrackets = /^\[([0-9A-Fa-f:.]+)(?:%[^\]]*)?\](?::\d{1,5})?$/
const zone = /%.*$/

/** An address in its one canonical form, without port, brackets and zone; IPv4 where it is IPv4 in IPv6. `unknown` when it is none. */
export function parseAddress(text: string): string {
  if (isIPv4(text)) return text
  // As a socket of both families writes IPv4.
  if (text.startsWith('::ffff:') && isIPv4(text.slice(7))) return text.slice(7)
  const bare = (inBrackets.exec(text) ?? withPort.exec(text))?.[1] ?? text.replace(zone, '')
  if (isIPv4(bare)) return bare
  if (isIP(bare) === 0) return unknownAddress
  const { address } = new SocketAddress({ address: bare, family: 'ipv6' })
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}

/** Whether the hop that an address belongs to is one of our own proxies; hop 0 is the peer of the connection. */
export type TrustsHop = (address: string | undefined, hop: number) => boolean

/**
 * The canonical address that a request comes from: the peer's, or what our proxies put into `X-Forwarded-For`, nearest first. `unknown` where
 * that cannot be read, undefined when the peer has disconnected.
 */
export function callerAddress(
  { socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>,
  trusts: TrustsHop | false
): string | undefined {
  const { remoteAddress } = socket
  if (remoteAddress === undefined) return undefined
  let address = parseAddress(remoteAddress)
  const forwarded = headers['x-forwarded-for']
  if (!trusts || typeof forwarded !== 'string') return address
  const hops = forwarded.split(',')
  for (let hop = 0; hops.length > 0 && trusts(address, hop); ) {
    const next = hops.pop()!.trim()
    if (next === '') continue
    address = parseAddress(next)
    hop++
  }
  return address
}

/** Who counts as one caller, for limits: an IPv4 address, or an IPv6 network of 64 bits, which is one household. Takes a canonical address. */
export function subnetOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter(Boolean)
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter(Boolean).length
  return [...groups, ...Array(missing).fill('0'), ...(tail?.split(':').filter(Boolean) ?? [])].slice(0, 4).join(':')
}

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

/** Networks made ready for questions; undefined when there are none, which means: from anywhere. What is no network admits nobody. */
export function compileNetworks(texts: readonly string[] | undefined): Networks | undefined {
  if (!texts || texts.length === 0) return undefined
  const list = new BlockList()
  for (const text of texts) {
    const network = parse(text)
    if (network) list.addSubnet(network.address, network.prefix, network.family)
  }
  return address => {
    const plain = parseAddress(address)
    const version = isIP(plain)
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}

/** The addresses and networks in a value of TRUST_PROXY; none for `true`, `false` or a number of hops. */
export const proxyNetworks = (text: string): string[] => (/^(true|false|\d+)$/.test(text) ? [] : text.split(',').map(item => item.trim()))

/** A value of TRUST_PROXY as a function of each hop of a request; false when no header is trusted. */
export function parseTrustProxy(text: string): TrustsHop | false {
  if (text === 'false') return false
  if (text === 'true') return () => true
  const hops = Number(text)
  if (!Number.isNaN(hops)) return (_, hop) => hop < hops
  const isProxy = compileNetworks(proxyNetworks(text)) ?? (() => false)
  return address => address !== undefined && isProxy(address)
}
