import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { LoadShedder } from '../src/limits/load-shedder.ts'
import { registerLoadShedding } from '../src/limits/metrics.ts'

/** How often the pressure is measured, in milliseconds: it asks the system for the memory of the process, which is not free. */
const pressureIntervalMs = 1_000

type LoadSheddingOptions = Config['loadShedding'] & Pick<Config['bulkhead'], 'queueTimeoutMs'>

/** Queues requests of an overloaded process, and rejects them after a while; probes and metrics never. */
export default fp(
  async (app: FastifyInstance, { maxEventLoopDelayMs, maxEventLoopUtilization, maxHeapRatio, ...options }: LoadSheddingOptions) => {
    const maxHeapBytes = maxHeapRatio * getHeapStatistics().heap_size_limit
    const { budget } = app.responses
    const shedder = new LoadShedder({
      ...options,
      load: () => ({
        finished: app.upstream.bulkhead.finished,
        inFlight: app.upstream.bulkhead.active + app.upstream.bulkhead.queued
      }),
      // A full heap delays the event loop as well, which is then reported first.
      isMemoryFull: () => budget.isFull || (maxHeapBytes > 0 && app.memoryUsage().heapUsed > maxHeapBytes)
    })
    app.decorate('loadShedder', shedder)
    registerLoadShedding(app.metrics, shedder)
    const admit = (request: FastifyRequest) => (request.routeOptions.config.always ? undefined : shedder.admit())
    await app.register(underPressure, {
      sampleInterval: pressureIntervalMs,
      maxEventLoopDelay: maxEventLoopDelayMs,
      eventLoopUtilizationMode: 'interval',
      maxEventLoopUtilization,
      maxHeapUsedBytes: maxHeapBytes,
      pressureHandler: admit
    })
    // Responses that callers have not read yet are mostly outside the heap.
    app.addHook('onRequest', (request, _reply, next) => {
      if (!budget.isFull || app.isUnderPressure()) return next()
      try {
        const admitted = admit(request)
        if (admitted) admitted.then(() => next(), next)
        else next()
      } catch (error) {
        next(error as Error)
      }
    })
    app.addHook('onReady', async () => shedder.start())
    app.addHook('onClose', async () => shedder.stop())
  },
  { name: 'load-shedding', dependencies: ['voximplant', 'responses', 'metrics'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    loadShedder: LoadShedder
  }
}
