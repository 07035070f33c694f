/** An IPv4 address or network. */
export interface Network {
  /** The first address. */
  base: number
  /** How many leading bits its addresses share: 32 for a single one. */
  prefix: number
}

/** A dotted IPv4 address as a number; undefined when it is none. */
function address(text: string): number | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined
  const bytes = text.split('.').map(Number)
  return bytes.some(byte => byte > 255) ? undefined : bytes.reduce((value, byte) => value * 256 + byte, 0)
}

/** The length of a mask: `24`, or dotted. */
function prefixOf(mask: string): number | undefined {
  if (/^\d{1,2}$/.test(mask)) return Number(mask) <= 32 ? Number(mask) : undefined
  const bits = address(mask)?.toString(2).padStart(32, '0')
  return bits !== undefined && /^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : undefined
}

const size = (prefix: number): number => 2 ** (32 - prefix)

/** Reads `192.0.2.7`, `192.0.2.0/24` or `192.0.2.0/255.255.255.0`; bits behind the mask are cleared. Undefined for anything else. */
export function readNetwork(text: string): Network | undefined {
  const [first = '', mask = '32', ...rest] = text.split('/')
  const value = address(first)
  const prefix = prefixOf(mask)
  if (value === undefined || prefix === undefined || rest.length > 0) return undefined
  return { base: value - (value % size(prefix)), prefix }
}

/** Whether one network lies in another, or is the same. */
export const contains = (outer: Network, inner: Network): boolean =>
  outer.prefix <= inner.prefix && inner.base - (inner.base % size(outer.prefix)) === outer.base

/** `192.0.2.0/24`; a single address without its length. */
export function writeNetwork({ base, prefix }: Network): string {
  const dotted = [24, 16, 8, 0].map(shift => Math.floor(base / 2 ** shift) % 256).join('.')
  return prefix === 32 ? dotted : `${dotted}/${prefix}`
}
