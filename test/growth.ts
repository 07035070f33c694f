/** How much more CPU time something takes when its input grows. */

const cpuMs = async (run: () => unknown): Promise<number> => {
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** The factor from the smaller to the larger of two inputs. */
export const growth = 4

/**
 * Why the time for `large` is out of proportion to that for `small`, which is `growth` times smaller; undefined: it is not. Quadratic work takes 16 times
 * as much; linear work 4, and twice that is granted to a busy machine. What looks suspicious is measured again: the best of four counts.
 */
export async function disproportion(small: () => unknown, large: () => unknown): Promise<string | undefined> {
  let least = { small: Number.POSITIVE_INFINITY, large: Number.POSITIVE_INFINITY }
  for (let i = 0; i < 4; i++) {
    least = { small: Math.min(least.small, await cpuMs(small)), large: Math.min(least.large, await cpuMs(large)) }
    if (least.large <= 2 * growth * least.small + 40) return undefined
  }
  return `${growth} times the input took ${least.large.toFixed(1)} ms instead of ${least.small.toFixed(1)} ms`
}
