import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Files that only the service's own user may read and write, whatever the umask, and however they were made before. */

const mode = 0o600

/**
 * Removes the rights of all other users from a file. A file that does not exist is created where `create` says so.
 * A file of another user's keeps its rights, with a warning.
 */
export function makePrivate(file: string, { create = false } = {}): void {
  if (create) closeSync(openSync(file, 'a', mode))
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found || (found.mode & 0o777) === mode) return
  try {
    chmodSync(file, mode)
  } catch (error) {
    if ((error as { code?: string }).code !== 'EPERM') throw error
    process.emitWarning(`${file} belongs to another user, and its mode is ${(found.mode & 0o777).toString(8)} where it should be 600`)
  }
}

/** Writes a file through a second one, so that a crash leaves the old contents or the new. */
export function writePrivate(file: string, contents: string): void {
  const next = `${file}.new`
  makePrivate(next, { create: true })
  writeFileSync(next, contents)
  renameSync(next, file)
}

/** The text of a private file, which is created with `create()` where there is none. Of processes that start concurrently, one creates it. */
export function readOrCreatePrivate(file: string, create: () => string): { text: string; created: boolean } {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, create(), { mode, flag: 'wx' })
    return { text: readFileSync(file, 'utf8'), created: true }
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
    makePrivate(file)
    return { text: readFileSync(file, 'utf8'), created: false }
  }
}
