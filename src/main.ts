/**
 * Entry point of `postern`: server commands go to server/, everything else is a client of our HTTP API. Each side is loaded
 * only when it is asked for: a gateway worker holds no command line, and a command line no server.
 */
import { reportFailure } from './cli/report-failure.ts'
import { productVersion } from './cli/product-version.ts'
import { isServerCommand, serverCommandHelp, takeOwnFlags, type ServerCommand } from './cli/server-commands.ts'
import { processTerminal } from './cli/terminal.ts'
import type { Config } from './config/parse-config.ts'

const argv = process.argv.slice(2)
// oxlint-disable-next-line node/no-process-env -- read by config/ and the CLI, to which it is handed
const environment = process.env
const terminal = processTerminal()

async function runClient(): Promise<number> {
  // Whoever reads the answer may stop early (`postern audit list | head`): that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  const { runCli } = await import('./cli/run-cli.ts')
  return runCli(argv, environment, terminal)
}

async function runServer(command: ServerCommand, flags: readonly string[]): Promise<void> {
  if (flags.includes('--help') || flags.includes('-h')) return terminal.print(serverCommandHelp(command).trimEnd())
  switch (command) {
    case 'serve':
      return (await import('./server/serve.ts')).serve(await readConfig(flags))
    case 'demo':
      return (await import('./server/demo/demo.ts')).demo(await readConfig(flags), (text) => process.stdout.write(text))
    case 'migrate':
      return (await import('./server/migrate-command.ts')).migrateCommand(await readConfig(flags))
    case 'backup': {
      const { files, rest } = takeOwnFlags(command, flags)
      const { backupCommand } = await import('./server/backup/backup-command.ts')
      return terminal.print(await backupCommand(await readConfig(rest, true), files['--out']!, productVersion))
    }
    case 'restore': {
      const { files, switches, rest } = takeOwnFlags(command, flags)
      const { restoreCommand } = await import('./server/backup/restore-command.ts')
      const adoptManagedInstances = switches.has('--adopt-managed-instances')
      return terminal.print(
        await restoreCommand(await readConfig(rest, true), { in: files['--in']!, adoptManagedInstances }),
      )
    }
    case 'export-master-key': {
      const { files, rest } = takeOwnFlags(command, flags)
      const { exportMasterKeyCommand } = await import('./server/backup/export-master-key.ts')
      return terminal.print(await exportMasterKeyCommand(await readConfig(rest), files['--out']!))
    }
    case 'control':
      return (await import('./server/run-control.ts')).control()
    case 'gateway':
      return (await import('./server/run-gateway.ts')).gateway()
    case 'tunnels':
      return (await import('./server/run-tunnels.ts')).tunnels()
  }
}

async function readConfig(flags: readonly string[], opensNothing = false): Promise<Config> {
  const { parseConfig } = await import('./config/parse-config.ts')
  return parseConfig({ argv: flags, environment, cwd: process.cwd(), opensNothing }).config
}

const EXIT_GRACE_MS = 1_000

/** A socket whose server hangs keeps nobody running whose work is done. Children of `serve` go on when they have started. */
function endSoon(command: ServerCommand): void {
  if (command !== 'control' && command !== 'gateway' && command !== 'tunnels')
    setTimeout(() => process.exit(), EXIT_GRACE_MS).unref()
}

const [command, ...flags] = argv
try {
  if (isServerCommand(command)) await runServer(command, flags)
  else process.exitCode = await runClient()
} catch (thrown) {
  process.exitCode = reportFailure(thrown, environment, terminal)
}
if (isServerCommand(command)) endSoon(command)
