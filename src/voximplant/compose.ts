/** Composes stages, the first of which is the outermost, around the handler that does the work. */
export const compose =
  <Input, Output>(...stages: readonly ((input: Input, next: (input: Input) => Output) => Output)[]) =>
  (handler: (input: Input) => Output): ((input: Input) => Output) =>
    stages.reduceRight<(input: Input) => Output>((next, stage) => input => stage(input, next), handler)
