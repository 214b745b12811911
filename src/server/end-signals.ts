const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** The signals that end a server: the first asks it to drain, the second to hurry. */
export interface EndSignals {
  readonly first: Promise<NodeJS.Signals>
  wasAsked(): boolean
  onSecond(action: () => void): void
  /** Gives the signals back to the runtime. */
  ignore(): void
}

export function listenForSignals(): EndSignals {
  const { promise: first, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let count = 0
  let hurry: () => void = () => undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    count += 1
    if (count === 1) resolve(signal)
    else hurry()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return {
    first,
    wasAsked: () => count > 0,
    onSecond(action) {
      hurry = action
    },
    ignore() {
      for (const signal of SIGNALS) process.off(signal, onSignal)
    },
  }
}
