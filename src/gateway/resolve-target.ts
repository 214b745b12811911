import { PosternError } from '../base/errors.ts'
import type { WorkspaceId } from '../base/ids.ts'
import { parseStartupOptions } from '../pgwire/startup-options.ts'
import type { TlsStartup } from './negotiate.ts'

/** What a login asks for, read from one place each and checked to agree. */
export interface LoginTarget {
  /** Undefined when nothing names an instance: a credential for a single one then decides. */
  readonly instanceName: string | undefined
  /** Undefined when the host name does not tell; the credential then does. */
  readonly workspaceId: WorkspaceId | undefined
  readonly roleName: string
  readonly database: string
  /** Startup parameters for the upstream, in order: settings only, nothing of ours and no protocol options. */
  readonly settings: readonly (readonly [name: string, value: string])[]
}

/** Which workspace a gateway domain belongs to, such as `postern.example.test`; undefined when to none. */
export type FindWorkspaceByDomain = (domain: string) => WorkspaceId | undefined

const instanceNamePattern = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Finds out which instance a login means. Three ways name it: the host name (`NAME.<gateway domain>`, by SNI), the option
 * `endpoint=NAME`, and a database of the form `NAME/database`. Where two of them disagree the login is refused, so that a
 * client is never led elsewhere than one part of its own settings says.
 *
 * @throws PosternError TARGET_CONFLICT | INVALID_ARGUMENT | FEATURE_NOT_SUPPORTED (replication)
 */
export function resolveTarget({ startup, serverName }: TlsStartup, findWorkspace: FindWorkspaceByDomain): LoginTarget {
  const replication = startup.parameters.get('replication')
  if (replication !== undefined && !['false', 'off', 'no', '0'].includes(replication.toLowerCase())) {
    throw new PosternError('FEATURE_NOT_SUPPORTED', 'replication sessions are not offered to bound Postgres roles', {
      hint: 'Replicate from the database itself, with a Postgres role that is not bound.',
    })
  }
  const options = parseStartupOptions(startup.parameters.get('options') ?? '')
  if (options.kind === 'conflict') throw conflict(options.endpoints)

  const byHost = splitServerName(serverName, findWorkspace)
  const slash = startup.database.indexOf('/')
  const prefix = startup.database.slice(0, Math.max(slash, 0))
  const byDatabase = instanceNamePattern.test(prefix) ? prefix : undefined
  const named = [byHost?.instanceName, options.endpoint, byDatabase].filter((name) => name !== undefined)
  if (new Set(named).size > 1) throw conflict(named)

  const settings: [string, string][] = []
  for (const [name, value] of startup.parameters) {
    if (name === 'user' || name === 'database' || name === 'replication') continue
    if (name !== 'options') settings.push([name, value])
    else if (options.forwarded !== '') settings.push([name, options.forwarded])
  }
  return {
    instanceName: named[0],
    workspaceId: byHost?.workspaceId,
    roleName: startup.user,
    database: byDatabase === undefined ? startup.database : startup.database.slice(slash + 1) || startup.user,
    settings,
  }
}

function splitServerName(
  serverName: string | undefined,
  findWorkspace: FindWorkspaceByDomain,
): { instanceName: string; workspaceId: WorkspaceId } | undefined {
  if (serverName === undefined) return undefined
  const dot = serverName.indexOf('.')
  if (dot <= 0) return undefined
  const workspaceId = findWorkspace(serverName.slice(dot + 1))
  return workspaceId === undefined ? undefined : { instanceName: serverName.slice(0, dot), workspaceId }
}

function conflict(names: readonly string[]): PosternError {
  const list = [...new Set(names)].map((name) => `'${name}'`).join(' and ')
  return new PosternError('TARGET_CONFLICT', `the login names two different instances: ${list}`, {
    hint: 'The host name, options=endpoint=NAME and a database of the form NAME/database must name the same instance.',
  })
}
