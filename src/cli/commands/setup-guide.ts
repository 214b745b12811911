import { Option, type Command } from 'commander'
import { SetupGuide, SetupGuideKind, SetupGuideQuery } from '../../contract/setup-guides.ts'
import { path } from '../api-client.ts'
import type { Cli } from '../cli.ts'
import { showJson } from '../output.ts'
import { printable } from '../printable.ts'
import { signedIn } from '../sign-in.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'setup-guide <kind>',
  summary: 'Show what to set up elsewhere so that a data source has no password here, ready to be copied',
  define,
  run,
}

function define(command: Command): void {
  command
    .addOption(
      new Option('--engine <name>', 'engine of the database (default: postgres)').choices(
        SetupGuideQuery.shape.engine.unwrap().options,
      ),
    )
    .option('--username <name>', 'database user to fill in')
    .option('--database <name>', 'database to fill in')
    .option('--host-name <host>', 'endpoint of the database, or project:region:instance')
    .option('--region <region>', 'AWS region')
    .option('--account-id <digits>', 'AWS account')
    .option('--resource-id <id>', 'resource id of the RDS instance or Aurora cluster (db-…, cluster-…)')
    .option('--service-account <e-mail>', 'Google service account')
    .option('--secret-name <name>', 'name or path of the secret')
    .option('--secret-key <key>', 'key inside the secret')
    .addHelpText('after', `\nKinds: ${SetupGuideKind.options.join(', ')}`)
}

type Options = Omit<Partial<Record<keyof SetupGuideQuery, string>>, 'host'> & { readonly hostName?: string }

async function run(cli: Cli, kind: string, { hostName, ...names }: Options): Promise<void> {
  const api = await signedIn(cli)
  const query = { ...names, ...(hostName !== undefined && { host: hostName }) }
  const guide = await api.call({ method: 'GET', path: path`/v1/setupGuides/${kind}`, query, answer: SetupGuide })
  if (cli.output === 'json') return showJson(cli, guide)
  cli.terminal.print(printable(guide.title))
  for (const [index, { title, text, copy }] of guide.steps.entries()) {
    cli.terminal.print(`\n${index + 1}. ${printable(title)}`)
    cli.terminal.print(`   ${printable(text)}`)
    for (const line of copy?.text.split('\n') ?? []) cli.terminal.print(printable(line))
  }
}
