export interface ByteBudgetOptions {
  /** Bytes that all keys may hold together, and those of one key. */
  max: number
  share: number
}

interface Account {
  key: string
  held: number
  /** Of these, what has been written to callers and not been taken by them. */
  untaken: number
  permits: number
  waiting: Hold[]
  /** Holds that are not released. */
  holds: number
}

/**
 * Bytes held in memory, per key and in all. Small amounts are only counted; large ones need a permit, for which their owner waits without
 * holding anything. Permits are given key by key in turn, and to nobody out of turn, so that neither a key nor a large amount starves. An
 * amount beyond the budget or the share is permitted alone.
 */
export class ByteBudget {
  readonly counts = { waited: 0, abandoned: 0 }
  readonly #max: number
  readonly #share: number
  readonly #accounts = new Map<string, Account>()
  /** Accounts with a queue, in the order of their turns. */
  readonly #contended = new Set<Account>()
  #held = 0
  #permits = 0
  #waiting = 0
  /** Untaken bytes, of each key no more than its share: one key alone never fills the budget for the others. */
  #untaken = 0

  constructor({ max, share }: ByteBudgetOptions) {
    this.#max = max
    this.#share = share
  }

  /** Bytes held, holds with a permit, and those that wait for one. */
  get held(): number {
    return this.#held
  }
  get permits(): number {
    return this.#permits
  }
  get waiting(): number {
    return this.#waiting
  }
  /** Whether callers leave so much untaken that there is no room for more. */
  get isFull(): boolean {
    return this.#untaken >= this.#max
  }
  /** The same of one key's share. */
  isShareUsed(key: string): boolean {
    return (this.#accounts.get(key)?.untaken ?? 0) >= this.#share
  }

  /** An empty hold of a key. Release it. */
  hold(key: string): Hold {
    let account = this.#accounts.get(key)
    if (!account) {
      account = { key, held: 0, untaken: 0, permits: 0, waiting: [], holds: 0 }
      this.#accounts.set(key, account)
    }
    account.holds++
    return new Hold(this, account)
  }

  /** @internal */
  count(account: Account, bytes: number): void {
    this.#held += bytes
    account.held += bytes
    if (bytes < 0 && this.#waiting > 0) this.#grant()
  }

  /** @internal */
  countUntaken(account: Account, bytes: number): void {
    const before = Math.min(account.untaken, this.#share)
    account.untaken += bytes
    this.#untaken += Math.min(account.untaken, this.#share) - before
  }

  /** @internal */
  enqueue(account: Account, hold: Hold): void {
    account.waiting.push(hold)
    this.#contended.add(account)
    this.#waiting++
    this.#grant()
    if (!hold.permitted) this.counts.waited++
  }

  /** @internal */
  dequeue(account: Account, hold: Hold): void {
    const at = account.waiting.indexOf(hold)
    if (at < 0) return
    account.waiting.splice(at, 1)
    if (account.waiting.length === 0) this.#contended.delete(account)
    this.#waiting--
    this.counts.abandoned++
  }

  /** @internal */
  settle(account: Account, hold: Hold): void {
    if (hold.permitted) {
      account.permits--
      this.#permits--
    } else this.dequeue(account, hold)
    if (--account.holds === 0) this.#accounts.delete(account.key)
    if (this.#waiting > 0) this.#grant()
  }

  #grant(): void {
    for (;;) {
      let next: Account | undefined
      for (const account of this.#contended)
        if (account.permits === 0 || account.held + account.waiting[0]!.missing <= this.#share) {
          next = account
          break
        }
      if (!next || (this.#permits > 0 && this.#held + next.waiting[0]!.missing > this.#max)) return
      const hold = next.waiting.shift()!
      this.#contended.delete(next)
      if (next.waiting.length > 0) this.#contended.add(next)
      this.#waiting--
      next.permits++
      this.#permits++
      hold.permit()
    }
  }
}

/** What one response holds. */
export class Hold {
  readonly #budget: ByteBudget
  readonly #account: Account
  #bytes = 0
  #wanted = 0
  #untaken = 0
  #granted: (() => void) | undefined
  #released = false
  /** Whether it has been given a permit. */
  permitted = false

  /** By `ByteBudget.hold`. */
  constructor(budget: ByteBudget, account: Account) {
    this.#budget = budget
    this.#account = account
  }

  get bytes(): number {
    return this.#bytes
  }
  get missing(): number {
    return Math.max(0, this.#wanted - this.#bytes)
  }

  /** Counts this many bytes in place of those counted before; never waits. */
  set(bytes: number): void {
    if (this.#released) return
    this.#budget.count(this.#account, bytes - this.#bytes)
    if (this.#untaken > 0) this.#countUntaken(bytes)
    this.#bytes = bytes
  }

  /** Requests a permit for a total number of bytes. Calls back once it is granted, possibly before this returns; never after `release`. */
  acquire(bytes: number, granted: () => void): void {
    this.#wanted = bytes
    this.#granted = granted
    this.#budget.enqueue(this.#account, this)
  }

  /** Grants a number of bytes, which the caller takes, and removes it from the queue. */
  hand(bytes: number): void {
    if (!this.permitted) this.#budget.dequeue(this.#account, this)
    this.set(bytes)
    this.#countUntaken(bytes)
  }

  /** Gives everything back, and leaves the queue. May be called again. */
  release(): void {
    if (this.#released) return
    this.set(0)
    this.#released = true
    this.#budget.settle(this.#account, this)
  }

  /** @internal */
  permit(): void {
    this.permitted = true
    this.set(Math.max(this.#bytes, this.#wanted))
    this.#granted!()
  }

  #countUntaken(bytes: number): void {
    this.#budget.countUntaken(this.#account, bytes - this.#untaken)
    this.#untaken = bytes
  }
}
