import { Account as AccountNoun, CurrencyRates } from '../schemas/account.ts'
import { day, flag, list, listItem, maybe, ref, strict, text } from '../schemas/common.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { value } from '../src/api/replies.ts'

const tag = 'Account'

export default {
  getAccount: endpoint({
    http: 'GET /account',
    rpc: 'GetAccountInfo',
    summary: "Get the tenant's account",
    description:
      'The Voximplant account behind the API key: names, balance, settings. Its `api_key` and callback salt never leave Voxgate.',
    tag,
    input: strict({ returnLiveBalance: maybe(flag('Whether the balance counts running calls too.')) }),
    reply: value(ref(AccountNoun), {
      beside: {
        apiAddress: maybe(text('The host that serves this account best.')),
        debuggerAddress: maybe(text('The host of the debugger.'))
      }
    })
  }),
  getCurrencyRates: endpoint({
    http: 'GET /currency-rates',
    rpc: 'GetCurrencyRate',
    summary: 'Get currency rates',
    description: 'The rates the upstream bills with, now or on a day.',
    tag,
    input: strict({
      currency: list(
        listItem({ pattern: '^[A-Z]{3}$', maxLength: 3, expects: 'a currency code of three capital letters (ISO 4217), such as USD' }),
        'The currencies asked for (ISO 4217, or `RUR`).',
        {
          examples: [['USD', 'EUR']]
        }
      ),
      date: maybe(day('The day whose rates are asked for; today without it.'))
    }),
    reply: value(ref(CurrencyRates))
  })
}
