/** An error that an operator can fix: its message is complete without a stack. */
export class OperatorError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** What to print of an error that ends a process. */
export const messageOf = (error: unknown): string => {
  if (error instanceof OperatorError || (error as { code?: string }).code === 'EADDRINUSE') return (error as Error).message
  return (error as Error).stack ?? String(error)
}
