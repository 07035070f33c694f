/** Steps the wall clock of the process by CLOCK_STEP milliseconds when it gets a SIGUSR2. To be loaded before anything else (`node --import`). */
const wall = Date.now
let step = 0

globalThis.Date = class extends Date {
  constructor(...values: []) {
    if (values.length === 0) super(wall() + step)
    else super(...values)
  }
  static override now() {
    return wall() + step
  }
} as DateConstructor

process.on('SIGUSR2', () => {
  step = Number(process.env.CLOCK_STEP)
})
