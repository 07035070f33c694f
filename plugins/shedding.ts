import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../src/problems/problem.ts'

export interface SheddingOptions {
  /** Milliseconds by which the event loop is late; 0 for no such limit, as everywhere here. */
  delay: number
  /** The part of its time in which the event loop is busy. */
  utilization: number
  /** The part of the heap that V8 gives a process. */
  heap: number
  /** Upstream calls under way and waiting that are let in whatever the pressure. */
  keep: number
  /** How long a request is held back before it is turned away, in milliseconds. */
  hold: number
}

/** What happened so far, to look at. */
export interface SheddingCounts {
  shed: number
  /** Requests that are held back now. */
  readonly held: number
}

/** Milliseconds: how often the pressure is looked at (which asks the system for the process's memory, and is not free), how often the rate is,
 * and how often those that are held back are. */
const pressureInterval = 1_000
const sampleInterval = 250
const turn = 10
/** Requests that are held back at most; more are turned away at once. */
const mostHeld = 1_000
/** With a heap, or a budget of responses, that is full, only so small a part of what is let in otherwise is. */
const heapShare = 0.1
/** How much of its rate a process is thought to keep from one sample to the next: less work for a while must not look like less ability. */
const memory = 0.98

interface Held {
  until: number
  admit: () => void
  refuse: (problem: Problem) => void
}

/**
 * Holds requests back, and turns them away after a while, when the process has more to do than it can; probes and metrics never. A process that
 * is busy does its best work, so that it takes as much under pressure as it finishes in the time that others are held back, and nobody who
 * comes to one with nothing to do is refused. Callers that are held back send nothing else meanwhile, which costs less than refusing them again and again.
 */
export default fp(
  async (app: FastifyInstance, { delay, utilization, heap, keep, hold }: SheddingOptions) => {
    const held: Held[] = []
    const counts = {
      shed: 0,
      get held() {
        return held.length
      }
    }
    app.decorate('shedding', counts)
    // Made once: a stack for each would cost more than the answer.
    const overloaded = new Problem('service-unavailable', 'There is more to do than can be done in time.', {
      headers: { 'retry-after': '1' }
    })

    /** Calls finished per millisecond, at the best of late. */
    let rate = 0
    let finished = 0
    const sample = () => {
      rate = Math.max((app.gate.finished - finished) / sampleInterval, rate * memory)
      finished = app.gate.finished
    }
    const maxHeap = heap * getHeapStatistics().heap_size_limit
    // The event loop is often late as well by then, and is the first to be told of.
    const { budget } = app.responses
    const share = (): number => (budget.isFull || (maxHeap > 0 && app.memoryUsage().heapUsed > maxHeap) ? heapShare : 1)
    const room = (): number => Math.max(keep, (rate * hold) / 2) * share() - app.gate.active - app.gate.waiting

    const release = () => {
      if (held.length === 0) return
      const now = performance.now()
      for (let left = room(); left > 0 && held.length > 0; left--) held.shift()!.admit()
      while (held.length > 0 && held[0]!.until <= now) {
        counts.shed++
        held.shift()!.refuse(overloaded)
      }
    }

    const admit = (request: FastifyRequest): Promise<void> | undefined => {
      if (request.routeOptions.config.always) return
      if (held.length === 0 && room() > 0) return
      if (held.length >= mostHeld) {
        counts.shed++
        throw overloaded
      }
      return new Promise<void>((admit, refuse) => held.push({ until: performance.now() + hold, admit, refuse }))
    }
    await app.register(underPressure, {
      sampleInterval: pressureInterval,
      maxEventLoopDelay: delay,
      eventLoopUtilizationMode: 'interval',
      maxEventLoopUtilization: utilization,
      maxHeapUsedBytes: maxHeap,
      pressureHandler: admit
    })
    // Responses that callers leave untaken are mostly outside the heap.
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
    // The gate is there only now.
    const timers: NodeJS.Timeout[] = []
    app.addHook('onReady', async () => void timers.push(setInterval(sample, sampleInterval).unref(), setInterval(release, turn).unref()))
    app.addHook('onClose', async () => timers.forEach(clearInterval))
  },
  { name: 'shedding', dependencies: ['voximplant', 'responses'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    shedding: SheddingCounts
  }
}
