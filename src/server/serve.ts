import { openSync } from 'node:fs'
import type { Config } from '../config/parse-config.ts'
import { createLogger, type Logger } from '../telemetry/logger.ts'
import { type EndSignals, listenForSignals } from './end-signals.ts'
import { fileSink } from './file-sink.ts'
import { type ReadyFacts, writeReadyFile } from './ready-file.ts'
import { type RunningNode, startNode } from './supervisor.ts'

export interface ServeOptions {
  /** File that gets the log lines of all processes; default: standard output. */
  readonly logFile?: string
  /** Runs when everything accepts connections and before the ready file is written; what it returns is added to that file. */
  readonly beforeReady?: (facts: ReadyFacts) => Promise<object>
  /** Runs when the first signal came and open sessions may still end. */
  readonly whenDraining?: () => void
}

const STANDARD_OUTPUT = 1

/**
 * `postern serve`: runs everything of a node until SIGTERM, SIGINT or SIGHUP, then drains for `drainTimeoutSeconds` and
 * resolves. A second signal ends the draining, later ones change nothing. From the end of the draining it takes at most
 * 60 seconds, whatever hangs. A signal during the start ends the start.
 * @throws PosternError when it could not be started; nothing is left running then
 */
export async function serve(config: Config, options: ServeOptions = {}): Promise<void> {
  const output = options.logFile === undefined ? STANDARD_OUTPUT : openSync(options.logFile, 'a', 0o600)
  const logger = createLogger({ level: config.logLevel, role: 'supervisor', destination: fileSink(output) })
  const signals = listenForSignals()
  try {
    const node = await startNode(config, { logger, output, signal: signals.asked }).catch((thrown: unknown) => {
      if (!signals.asked.aborted) throw thrown
    })
    if (node === undefined) {
      logger.info('stopped before it was ready')
      return
    }
    try {
      await becomeReady(node, config, options, signals, logger)
      logger.info({ signal: await signals.first, drainTimeoutSeconds: config.drainTimeoutSeconds }, 'draining')
      options.whenDraining?.()
    } finally {
      await node.stop(config.drainTimeoutSeconds * 1000, signals.hurried)
    }
    logger.info('stopped')
  } finally {
    signals.ignore()
  }
}

/** Whoever is asked to end before that waits for nothing more. */
async function becomeReady(
  { facts }: RunningNode,
  { readyFile }: Config,
  { beforeReady }: ServeOptions,
  { first, asked }: EndSignals,
  logger: Logger,
): Promise<void> {
  if (asked.aborted) return
  const preparing = beforeReady?.(facts)
  const more = await Promise.race([preparing, first.then(() => undefined)])
  if (asked.aborted) {
    preparing?.catch((thrown: unknown) => logger.debug({ err: thrown }, 'interrupted'))
    return
  }
  if (readyFile !== undefined) writeReadyFile(readyFile, { ...facts, ...more })
  logger.info({ ...facts }, 'ready')
}
