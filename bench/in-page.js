/** Runs in the browser. Opens an operation, measures it, presses Execute without touching a field, reads what is shown, and closes it again. */
globalThis.tryOperation = async (tag, id, press) => {
  const frame = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))
  /** What `find` finds within some milliseconds, looked for once a frame. */
  const until = async (find, ms) => {
    for (const end = performance.now() + ms; performance.now() < end; await frame()) {
      const found = find()
      if (found) return found
    }
    return undefined
  }
  const slug = tag.replaceAll(' ', '_')
  const block = () => document.getElementById(`operations-${slug}-${id}`)
  if (!block()) document.getElementById(`operations-tag-${slug}`)?.click()
  if (!(await until(block, 20_000))) throw new Error(`${id} is not on the page`)
  const inBlock = selector => block().querySelector(selector)
  const started = performance.now()
  inBlock('.opblock-summary-control').click()
  if (!(await until(() => inBlock('button.execute') && inBlock('.responses-inner'), 60_000))) throw new Error(`${id} does not open`)
  await frame()
  const openMs = performance.now() - started
  const height = block().getBoundingClientRect().height
  const seen = { openMs, height, text: '' }
  if (press) {
    inBlock('button.execute').click()
    const shown = () => inBlock('.live-responses-table .response')
    // A field that the page itself refuses is marked, and the request is never sent.
    const refused = () => !inBlock('.loading-container') && inBlock('.opblock-section .invalid')
    await until(() => shown() ?? refused(), 60_000)
    const live = shown()
    if (live) {
      const status = Number.parseInt(live.querySelector('.response-col_status')?.textContent ?? '', 10)
      Object.assign(seen, { text: live.textContent.slice(0, 600) }, Number.isNaN(status) ? {} : { status })
    } else seen.text = `the page refuses: ${refused()?.closest('tr')?.textContent ?? 'nothing was shown'}`.slice(0, 300)
  }
  inBlock('.opblock-summary-control').click()
  await until(() => !inBlock('.opblock-body'), 10_000)
  return seen
}
