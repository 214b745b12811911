/** Entry point of `postern`: server commands go to server/, everything else is a client of our HTTP API. */
import { reportFailure, runCli } from './cli/run-cli.ts'
import { isServerCommand } from './cli/server-commands.ts'
import { processTerminal } from './cli/terminal.ts'

const argv = process.argv.slice(2)
const terminal = processTerminal()

// Whoever reads us may stop early (`postern audit list | head`): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await runCli(argv, process.env, terminal)
