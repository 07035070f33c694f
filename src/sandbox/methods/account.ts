import type { Account } from '../../../schemas/account.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'

/** How much of each currency one US dollar buys; fixed, so that responses are reproducible. */
const rates: Record<string, number> = { USD: 1, EUR: 0.92, GBP: 0.79, RUR: 92.5, KZT: 478.2, JPY: 149.3 }

export const methods: Methods = {
  GetAccountInfo(params, { accountId }, { caller, byApiKey }) {
    const name = caller.name ?? `account-${accountId}`
    const account: Account & { apiKey?: string; callbackSalt: string } = {
      accountId,
      accountName: name,
      accountEmail: caller.email ?? `${name}@example.com`,
      accountFirstName: 'Ada',
      accountLastName: 'Lovelace',
      active: true,
      frozen: false,
      created: '2024-03-01T08:00:00Z',
      balance: params.flag('returnLiveBalance') ? 99.75 : 100,
      liveBalance: 99.75,
      fixedBalance: 100,
      moneyOnHold: 0.25,
      graceCredit: 0,
      creditLimit: 0,
      currency: 'USD',
      minBalanceToNotify: 5,
      billingLimits: { bankCard: { minAmount: 10, currency: 'USD', maxDayPayment: 5000 } },
      maxSipRegistrations: 10,
      allowInvoice: true,
      enabled3ds: true,
      customPricing: false,
      taxpayerType: 'default',
      languageCode: 'en',
      location: 'Etc/GMT',
      accountNotifications: true,
      tariffChangingNotifications: true,
      newsNotifications: false,
      sendJsError: false,
      a2pSmsEnabled: true,
      supportRobokassa: false,
      supportBankCard: true,
      supportInvoice: true,
      callbackSalt: 'sandbox-callback-salt',
      ...(byApiKey ? { apiKey: caller.apiKey } : {})
    }
    return { result: account, apiAddress: 'api.voximplant.com', debuggerAddress: 'api.voximplant.com' }
  },

  GetCurrencyRate(params) {
    const codes = params.requiredTexts('currency')
    params.text('date')
    return { result: Object.fromEntries(codes.map(code => [code, rates[code] ?? reject('INVALID_CURRENCY', 'currency')])) }
  }
}
