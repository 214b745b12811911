import { openSync } from 'node:fs'
import type { Config } from '../config/parse-config.ts'
import { createLogger } from '../telemetry/logger.ts'
import { listenForSignals } from './end-signals.ts'
import { fileSink } from './file-sink.ts'
import { type ReadyFacts, writeReadyFile } from './ready-file.ts'
import { startNode } from './supervisor.ts'

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
 * resolves. A second signal ends the draining.
 * @throws PosternError when it could not be started; nothing is left running then
 */
export async function serve(config: Config, options: ServeOptions = {}): Promise<void> {
  const output = options.logFile === undefined ? STANDARD_OUTPUT : openSync(options.logFile, 'a', 0o600)
  const logger = createLogger({ level: config.logLevel, role: 'supervisor', destination: fileSink(output) })
  const signals = listenForSignals()
  try {
    const node = await startNode(config, { logger, output })
    signals.onSecond(() => node.cutShort())
    try {
      if (!signals.wasAsked()) {
        const more = await options.beforeReady?.(node.facts)
        if (config.readyFile !== undefined) writeReadyFile(config.readyFile, { ...node.facts, ...more })
        logger.info({ ...node.facts }, 'ready')
      }
      logger.info({ signal: await signals.first, drainTimeoutSeconds: config.drainTimeoutSeconds }, 'draining')
      options.whenDraining?.()
    } finally {
      await node.stop(config.drainTimeoutSeconds * 1000)
    }
    logger.info('stopped')
  } finally {
    signals.ignore()
  }
}
