import { type ProblemType, problemTypes } from './problem.ts'

/** The HTML pages that a problem's `type` points to. */

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}code{background:#eee;padding:0 .2em}dt{font-weight:600}dd{margin:0 0 .5rem}'

const whoFixesIt = {
  caller: 'you, the caller',
  voxgate: 'the operators of Voxgate or of the tenant',
  upstream: 'the upstream'
}

const escapeHtml = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
const withCode = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')

const html = (title: string, content: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)} - Voxgate</title>
<style>${style}</style>
${content}</html>`

/** The list of all problem types. @param base the path the service is mounted under */
export const problemList = (base: string): string =>
  html(
    'Problems',
    `<h1>Problems</h1><ul>${Object.entries(problemTypes)
      .map(([type, { status, title }]) => `<li><a href="${base}/problems/${type}">${status} ${type}</a>: ${escapeHtml(title)}</li>`)
      .join('')}</ul>`
  )

/** The page of one problem type. @param base the path the service is mounted under */
export function problemPage(type: ProblemType, base: string): string {
  const { title, help, status, origin, retryable } = problemTypes[type]
  return html(
    title,
    `<h1>${escapeHtml(title)}</h1><p>${withCode(help)}</p>
<dl><dt>Code</dt><dd><code>${type}</code></dd><dt>Status</dt><dd>${status}</dd><dt>Who can fix it</dt><dd>${whoFixesIt[origin]}</dd><dt>Does a retry help?</dt><dd>${retryable ? 'It can.' : 'Not without a change.'}</dd></dl>
<p><a href="${base}/problems">All problems</a></p>`
  )
}

/** Whether a text is a problem type. */
export const isProblemType = (text: string): text is ProblemType => Object.hasOwn(problemTypes, text)
