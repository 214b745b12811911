import { authorize } from '../access/policy.ts'
import type { EngineDescription } from '../contract/engine-descriptions.ts'
import { ENGINE_CAPABILITIES, EngineName } from '../contract/engines.ts'
import { sameHostForm } from '../dialer/same-host-advice.ts'
import { loadEngine } from '../engines/registry.ts'
import type { Actor } from '../identity/actor.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'

type FormDependencies = Pick<InstanceDependencies, 'surroundings' | 'egressAddresses'>

/** Names to fill into the GRANT statements; absent: names that people recognise as places to fill in. */
export interface StatementNames {
  readonly username?: string | undefined
  readonly database?: string | undefined
}

/** Every engine as a form needs it. */
export async function describeEngines(
  deps: FormDependencies,
  actor: Actor,
  names: StatementNames,
): Promise<EngineDescription[]> {
  return Promise.all(EngineName.options.map((engine) => describeEngine(deps, actor, engine, names)))
}

/** One engine as a form needs it: its row, what to enter for the same host, and the statements that make its user. */
export async function describeEngine(
  deps: FormDependencies,
  actor: Actor,
  name: EngineName,
  { username, database }: StatementNames,
): Promise<EngineDescription> {
  authorize(actor, 'engine.read')
  const { family: _, ...row } = ENGINE_CAPABILITIES[name]
  const engine = await loadEngine(name)
  const statements = (purpose: 'admin' | 'read_only', user: string) => [
    ...engine.grantStatements(purpose, { username: username ?? user, database: database ?? row.defaultDatabase }),
  ]
  return {
    engine: name,
    title: row.title,
    defaultPort: row.defaultPort,
    defaultDatabase: row.defaultDatabase,
    host: row.host,
    database: row.database,
    username: row.username,
    fields: row.fields,
    oneOf: [...row.oneOf],
    tlsModes: [...row.tlsModes],
    clientCertificate: row.clientCertificate,
    ssh: row.ssh,
    loginMethods: [...row.loginMethods],
    readOnly: row.readOnly,
    extraParameters: Object.fromEntries(
      Object.entries(row.extraParameters).map(([parameter, { description, values }]) => [
        parameter,
        { description, values: 'from' in values || 'pattern' in values ? { ...values } : [...values] },
      ]),
    ),
    gateway: row.gateway,
    manageModes: [...row.manageModes],
    sameHost: row.host === 'required' ? sameHostForm(deps.surroundings) : null,
    addressesToAllow: [...deps.egressAddresses],
    grantStatements: { admin: statements('admin', 'postern'), readOnly: statements('read_only', 'postern_readonly') },
  }
}
