/**
 * The variables by which the libraries of AWS, Google and Azure find credentials, region and project (`AWS_*`, `GOOGLE_*`, `AZURE_*`): handed on
 * to the processes that dial databases. Nothing else of the operator's environment reaches a child.
 */
export function cloudEnvironment(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => /^(AWS|GOOGLE|AZURE)_/.test(name))
  return Object.fromEntries(own.map(([name, value]) => [name, value ?? '']))
}

/** The variables of these names, as far as they are set: what the operator lets secret references use. */
export function namedEnvironment(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
