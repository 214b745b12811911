/**
 * The variables by which the libraries of AWS and Google find credentials, region and project (`AWS_*`, `GOOGLE_*`): handed on
 * to the processes that dial databases. Nothing else of the operator's environment reaches a child.
 */
export function cloudEnvironment(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => /^(AWS|GOOGLE)_/.test(name))
  return Object.fromEntries(own.map(([name, value]) => [name, value ?? '']))
}
