import { createHash, timingSafeEqual } from 'node:crypto'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { bounds, type Counter as Counts, type Histogram as Durations } from './counters.ts'

export type Labels = Record<string, string>
export type Sample = readonly [labels: Labels, value: number]

/** Definition of a metric: its labels, and how its samples are read when it is scraped. */
interface Definition<T> {
  help: string
  labels?: readonly string[]
  read(): Iterable<T>
}

/** Metrics of the process itself, which all apps of a process share. */
let processRegistry: Registry | undefined
const createProcessRegistry = (): Registry => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/**
 * A histogram whose counts are kept elsewhere: prom-client would hash the labels of each observation. It is a gauge that reports a histogram's
 * samples, because prom-client reads its own histograms by a method that is not public.
 */
class ReadHistogram extends Gauge {
  readonly #histogram: Histogram
  readonly #read: () => Iterable<readonly [Labels, Durations]>

  constructor(name: string, { help, labels = [], read }: Definition<readonly [Labels, Durations]>) {
    super({ name, help, registers: [] })
    this.#histogram = new Histogram({ name, help, labelNames: [...labels], registers: [] })
    this.#read = read
  }

  override async get() {
    const metric = await this.#histogram.get()
    const { name } = metric
    const values = [...this.#read()].flatMap(([labels, { counts, sum }]) => {
      let total = 0
      const buckets = counts.map((count, i) => {
        total += count
        return { metricName: `${name}_bucket`, labels: { ...labels, le: String(bounds[i] ?? '+Inf') }, value: total }
      })
      return [...buckets, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: total }]
    })
    return { ...metric, values }
  }
}

/**
 * Everything that is measured, as text for Prometheus. Counts are plain numbers where they happen; they meet prom-client, which would hash labels
 * each time, only when they are scraped.
 */
export class Metrics {
  readonly #registry: Registry
  readonly #expected: Buffer | undefined

  /** @param token what a scraper has to send as a bearer token; empty for nothing */
  constructor(token: string) {
    processRegistry ??= createProcessRegistry()
    this.#registry = Registry.merge([processRegistry])
    this.#expected = token === '' ? undefined : sha256(`Bearer ${token}`)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** Whether a request with this `Authorization` may read the metrics. */
  admits(authorization: string | undefined): boolean {
    return this.#expected === undefined || (authorization !== undefined && timingSafeEqual(sha256(authorization), this.#expected))
  }

  counter(name: string, { help, labels = [], read }: Definition<Sample>): void {
    const counter = new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [],
      collect() {
        this.reset()
        for (const [labels, value] of read()) this.inc(labels, value)
      }
    })
    this.#add(counter)
  }

  gauge(name: string, { help, labels = [], read }: Definition<Sample>): void {
    const gauge = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [],
      collect() {
        this.reset()
        // A gauge without labels is 0 after that, even if there is nothing to report.
        if (labels.length === 0) this.remove()
        for (const [labels, value] of read()) this.set(labels, value)
      }
    })
    this.#add(gauge)
  }

  histogram(name: string, definition: Definition<readonly [Labels, Durations]>): void {
    this.#add(new ReadHistogram(name, definition))
  }

  #add(metric: Counter | Gauge): void {
    this.#registry.registerMetric(metric)
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A sample per name of a tally. */
export const samplesOf = (label: string, counts: Readonly<Counts>): Sample[] =>
  Object.entries(counts).map(([name, value]) => [{ [label]: name }, value])

/** A sample without labels. */
export const sample = (value: number): Sample[] => [[{}, value]]
