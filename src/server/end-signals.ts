const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** The signals that end a server: the first asks it to drain, the second to hurry; later ones say nothing new. */
export interface EndSignals {
  readonly first: Promise<NodeJS.Signals>
  /** Aborted by the first signal; its reason is that signal's name. */
  readonly asked: AbortSignal
  /** Aborted by the second. */
  readonly hurried: AbortSignal
  /** Gives the signals back to the runtime. */
  ignore(): void
}

export function listenForSignals(): EndSignals {
  const { promise: first, resolve } = Promise.withResolvers<NodeJS.Signals>()
  const asked = new AbortController()
  const hurried = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked.signal.aborted) return hurried.abort()
    resolve(signal)
    asked.abort(signal)
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return {
    first,
    asked: asked.signal,
    hurried: hurried.signal,
    ignore() {
      for (const signal of SIGNALS) process.off(signal, onSignal)
    },
  }
}
