import t from 'tap'
import { parseInstant, toUnixSeconds, toUpstreamTime } from '../../../src/voximplant/wire/times.ts'

t.test('reads every form that RFC 3339 has', async t => {
  for (const [text, upstream] of [
    ['2026-01-15T09:30:00Z', '2026-01-15 09:30:00'],
    ['2026-01-15t09:30:00z', '2026-01-15 09:30:00'],
    ['2026-01-15T09:30:00.999999999Z', '2026-01-15 09:30:00'],
    ['2026-01-15T09:30:00+05:30', '2026-01-15 04:00:00'],
    ['2026-01-15T09:30:00-00:00', '2026-01-15 09:30:00'],
    ['2024-02-29T23:59:59-23:59', '2024-03-01 23:58:59'],
    ['0050-06-01T00:00:00Z', '0050-06-01 00:00:00'],
    ['0000-02-29T12:00:00Z', '0000-02-29 12:00:00'],
    ['9999-12-31T23:59:59Z', '9999-12-31 23:59:59']
  ] as const)
    t.equal(toUpstreamTime(text), upstream, text)
})

t.test('takes a leap second for the first second of the next day', async t => {
  t.equal(toUpstreamTime('2016-12-31T23:59:60Z'), '2017-01-01 00:00:00')
  t.equal(toUpstreamTime('1990-12-31T15:59:60-08:00'), '1991-01-01 00:00:00', 'the example of RFC 3339')
  t.equal(toUnixSeconds('2016-12-31T23:59:60.5Z'), 1_483_228_800)
})

t.test('refuses what RFC 3339 does not have', async t => {
  for (const text of [
    '2026-01-15 09:30:00Z',
    '2026-01-15T09:30:00',
    '2026-01-15T09:30:00+0300',
    '2026-01-15T09:30:00+03',
    '2026-01-15T09:30Z',
    '2026-1-15T09:30:00Z',
    '2026-01-15T24:00:00Z',
    '2026-01-15T09:60:00Z',
    '2026-01-15T09:30:61Z',
    '2026-01-15T09:30:00+24:00',
    '2026-01-15T09:30:00+01:60',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '+002026-01-15T09:30:00Z',
    '2026-01-15T09:30:00.Z',
    '2026-01-15T09:30:00Z ',
    '2016-12-30T23:59:60Z',
    '2016-12-31T23:59:60+01:00',
    '2016-12-31T12:00:60Z',
    ''
  ])
    t.equal(parseInstant(text), undefined, JSON.stringify(text))
})

t.test('agrees with the language about every day of four hundred years', async t => {
  let differences = 0
  for (let ms = Date.parse('1900-01-01T06:07:08Z'); ms < Date.parse('2300-01-01T00:00:00Z'); ms += 86_400_000)
    if (parseInstant(new Date(ms).toISOString()) !== ms) differences++
  t.equal(differences, 0)
})
