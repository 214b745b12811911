import type { Terminal } from './terminal.ts'

/** Waits for Ctrl-C or SIGTERM: the ordinary end of a command that serves. */
export async function untilStopped(terminal: Terminal): Promise<void> {
  let stopListening: (() => void) | undefined
  let onTerminate: (() => void) | undefined
  await new Promise<void>((resolve) => {
    stopListening = terminal.onInterrupt(resolve)
    onTerminate = resolve
    process.on('SIGTERM', resolve)
  })
  stopListening?.()
  if (onTerminate !== undefined) process.off('SIGTERM', onTerminate)
}
