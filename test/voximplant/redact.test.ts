import t from 'tap'
import { redact } from '../../src/voximplant/redact.ts'
import { disproportion, growth } from '../growth.ts'

/** The upstream's words without secrets, in time that does not depend on how many words there are. */

const redacted = (message: string, password = '') => redact(message, [password])
const jwt = `eyJhbGciOiJSUzI1NiJ9.${'a'.repeat(300)}.${'b'.repeat(342)}`

t.test('a message is shown up to 1,000 characters', async t => {
  t.equal(redacted('x'.repeat(1_000)), 'x'.repeat(1_000))
  t.equal(redacted('x'.repeat(1_001)), `${'x'.repeat(1_000)} ...`)
})

t.test('a secret is not shown wherever it stands, the end of what is shown included', async t => {
  const secrets = { password: 'pa"ss/wörd ', long: 's3cr3t'.repeat(2_000), one: 'ab' }
  for (const [name, secret] of Object.entries(secrets))
    for (const spelling of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
      for (let at = 980; at <= 1_001; at++) {
        const shown = redacted(`${'x'.repeat(at)}${spelling}${'y'.repeat(2_000)}`, secret)
        const expected =
          at < 1_000 ? `${'x'.repeat(at)}***${'y'.repeat(Math.max(0, 1_000 - at - spelling.length))} ...` : `${'x'.repeat(1_000)} ...`
        t.equal(shown, expected, `${name} at ${at}`)
      }
})

t.test('a token is not shown wherever it begins, the end of what is shown included', async t => {
  for (let at = 0; at <= 1_001; at += at < 990 ? 90 : 1) {
    const shown = redacted(`${'x '.repeat(at).slice(0, at)} ${jwt} and more ${'y'.repeat(2_000)}`)
    t.notMatch(shown, /eyJhbG|aaaaaa|bbbbbb/, `at ${at}`)
  }
})

t.test('secrets that overlap are not shown in part', async t => {
  t.equal(redacted('xaaaay', 'aaa'), 'x***y')
  t.equal(redacted(`:${jwt}y`, `${'b'.repeat(10)}y`), ':***')
})

t.test('the time does not grow faster than the message', async t => {
  for (const unit of ['-eyJ', '-eyJaaaaaaaa', 'eyJaaaaaa.', 'eyJ.', 'aaaa']) {
    // As one piece of memory: otherwise it is put together while it is searched.
    const message = (length: number) => Buffer.from(unit.repeat(Math.ceil(length / unit.length))).toString()
    const [small, large] = [message(60_000), message(60_000 * growth)]
    t.equal(
      await disproportion(
        () => redacted(small, `${'a'.repeat(500)}b`),
        () => redacted(large, `${'a'.repeat(500)}b`)
      ),
      undefined,
      unit
    )
  }
})
