import type { Interaction } from './interaction-dependencies.ts'

/** A parameter of the authorization request that waits; the empty text when it was not sent. */
export function requestParameter({ params }: Pick<Interaction, 'params'>, name: string): string {
  const value = params[name]
  return typeof value === 'string' ? value : ''
}
