import { generateKeyPairSync, type KeyObject, randomInt, sign } from 'node:crypto'

/** Certificates for tests: Node can read them, not make them, hence the ASN.1. */

export interface Certificate {
  /** PEM. */
  cert: string
  key: string
  /** Signs others, when it is an authority. */
  issuer: { name: string; privateKey: KeyObject }
}

export interface CertificateOptions {
  /** The common name. */
  name?: string
  /** The IPv4 addresses it is good for. */
  addresses?: readonly string[]
  from?: Date
  until?: Date
  /** Whether it may sign others. */
  authority?: boolean
  /** Who signs it; itself by default. */
  issuer?: Certificate['issuer']
}

const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const n = body.length
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const utcTime = (date: Date) => der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))
const named = (text: string) => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(text)))))
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))

/** A certificate and its key; self-signed unless an issuer is given. */
export function makeCertificate({
  name = '127.0.0.1',
  addresses = ['127.0.0.1'],
  from = new Date('2020-01-01T00:00:00Z'),
  until = new Date('2049-12-31T23:59:59Z'),
  authority = false,
  issuer
}: CertificateOptions = {}): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const by = issuer ?? { name, privateKey }
  const extensions = [
    ...(addresses.length > 0
      ? [sequence(oid('551d11'), der(0x04, sequence(...addresses.map(address => der(0x87, Buffer.from(address.split('.').map(Number)))))))]
      : []),
    ...(authority ? [sequence(oid('551d13'), der(0x01, Buffer.from([0xff])), der(0x04, sequence(der(0x01, Buffer.from([0xff])))))] : [])
  ]
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([randomInt(1, 127), randomInt(256), randomInt(256), randomInt(256)])),
    ecdsaWithSha256,
    named(by.name),
    sequence(utcTime(from), utcTime(until)),
    named(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions))
  )
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, by.privateKey))
  const base64 = sequence(body, ecdsaWithSha256, signature).toString('base64')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    issuer: { name, privateKey }
  }
}
