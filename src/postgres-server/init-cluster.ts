import { spawn } from 'node:child_process'
import { chownSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { PostgresBinaries } from './binaries.ts'
import { type ClusterFolder, dataPathFor, newDraft } from './cluster-folder.ts'
import type { OsUser } from './os-user.ts'

export interface ClusterOptions {
  readonly superuserName: string
  readonly superuserPassword: Secret
  /** false leaves out the final fsync: for throw-away clusters. */
  readonly durable: boolean
}

/**
 * Makes the cluster if there is none. It is made in a draft folder and renamed when complete, so a first start that is
 * killed half-way leaves no cluster at all, and the next start begins again.
 *
 * UTF-8, and the built-in C.UTF-8 locale: the same sort order on every machine, whatever its locales are.
 * @throws PosternError LOCAL_POSTGRES_FAILED
 */
export async function initCluster(
  folder: ClusterFolder,
  binaries: PostgresBinaries,
  user: OsUser | undefined,
  options: ClusterOptions,
): Promise<void> {
  if (existsSync(folder.data)) return
  const { draft, data } = newDraft(folder, user)
  const passwordFile = join(draft, 'password')
  writeFileSync(passwordFile, options.superuserPassword.reveal(), { mode: 0o600 })
  if (user) chownSync(passwordFile, user.uid, user.gid)
  const args = [
    '-D',
    dataPathFor(data, user),
    '-U',
    options.superuserName,
    '--auth=scram-sha-256',
    '--pwfile=../password',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    ...(options.durable ? [] : ['--no-sync']),
  ]
  const { code, output } = await runToEnd(binaries.initdb, args, data, user)
  if (code !== 0) {
    rmSync(draft, { recursive: true, force: true })
    throw new PosternError('LOCAL_POSTGRES_FAILED', `A new Postgres cluster could not be made in ${folder.home}.`, {
      hint: `initdb ended with ${code ?? 'a signal'}: ${lastLine(output)}`,
      detail: { output },
    })
  }
  renameSync(data, folder.data)
  rmSync(draft, { recursive: true, force: true })
}

function runToEnd(
  program: string,
  args: readonly string[],
  cwd: string,
  user: OsUser | undefined,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user && { uid: user.uid, gid: user.gid }),
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
