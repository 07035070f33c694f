import t from 'tap'
import { startService } from './support.ts'

t.test('says in words what a value must be', async t => {
  const service = await startService({ demo: true })
  t.teardown(() => service.close())
  for (const [url, pointer, detail] of [
    ['/currency-rates?currency=usd', '/currency/0', /three capital letters \(ISO 4217\), such as USD/],
    [
      '/applications/1/smart-queue-metrics/days?interval=PT5M&reportType=service_level',
      '/interval',
      /years-months-days hours:minutes:seconds/
    ],
    ['/call-sessions?withCalls=True', '/withCalls', /^must be `true` or `false`$/],
    ['/applications?limit=x', '/limit', /^must be a whole number$/],
    ['/applications?limit=0', '/limit', /^must be 1 or more$/]
  ] as const)
    t.match((await service.call('GET', url)).body.errors, [{ pointer, detail }], url)
  t.match((await service.call('POST', '/skills', { skillName: '' })).body.errors, [
    { pointer: '/skillName', detail: /1 to 511 characters|1 character or more|characters/ }
  ])
})
