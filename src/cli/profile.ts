import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { CliError } from './cli-error.ts'
import { configFolder } from './config-folder.ts'
import type { Environment } from './environment.ts'

/** A name for a control plane and a sign-in of its own there. Holds no secret. */
export interface Profile {
  readonly name: string
  /** Origin of the control plane. */
  readonly host: string
  /** Absolute path. */
  readonly caFile: string | undefined
}

const StoredProfiles = z.object({
  profiles: z.record(z.string(), z.object({ host: z.string(), caFile: z.string().optional() })),
})

/** @throws CliError caller for a name that is none */
export function requireProfileName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/i.test(name)) return name
  throw new CliError('caller', `--profile ${name} is not a name for a profile`, {
    hint: 'Use letters, digits, dots, underscores and hyphens; 63 at most.',
  })
}

/** The profile of a name, undefined when there is none. */
export async function readProfile(environment: Environment, name: string): Promise<Profile | undefined> {
  return (await listProfiles(environment)).find((profile) => profile.name === name)
}

/** All profiles, by name. */
export async function listProfiles(environment: Environment): Promise<Profile[]> {
  const { profiles } = await readAll(environment)
  return Object.entries(profiles)
    .map(([name, { host, caFile }]) => ({ name, host, caFile }))
    .toSorted((one, other) => one.name.localeCompare(other.name))
}

/** Adds a profile, over one of the same name. */
export async function writeProfile(environment: Environment, { name, host, caFile }: Profile): Promise<void> {
  const { profiles } = await readAll(environment)
  await writeAll(environment, { profiles: { ...profiles, [name]: { host, caFile } } })
}

/** Forgets a profile; false when there was none. Its sign-in is another matter. */
export async function removeProfile(environment: Environment, name: string): Promise<boolean> {
  const { [name]: found, ...profiles } = (await readAll(environment)).profiles
  if (found !== undefined) await writeAll(environment, { profiles })
  return found !== undefined
}

function profilesFile(environment: Environment): string {
  return join(configFolder(environment), 'profiles.json')
}

async function readAll(environment: Environment): Promise<z.infer<typeof StoredProfiles>> {
  const file = profilesFile(environment)
  try {
    return StoredProfiles.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { profiles: {} }
    throw new CliError('caller', `${file} is damaged or cannot be read`, {
      hint: 'Correct it, or remove it and sign in again with --profile.',
      cause,
    })
  }
}

async function writeAll(environment: Environment, stored: z.infer<typeof StoredProfiles>): Promise<void> {
  const file = profilesFile(environment)
  const draft = `${file}.${randomUUID()}`
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(draft, `${JSON.stringify(stored, undefined, 2)}\n`, { flag: 'wx', mode: 0o600 })
  await rename(draft, file)
}
