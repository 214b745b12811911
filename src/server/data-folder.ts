import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { PosternError } from '../base/errors.ts'
import { currentUid } from '../postgres-server/os-user.ts'

/** The folder that holds everything this node keeps, and where things are in it. */
export interface DataFolder {
  readonly path: string
  /** Made at the first start and immutable: managed instances belong to it. */
  readonly nodeId: string
  readonly lockFile: string
  readonly masterKeyFile: string
  /** There while the master key is exchanged: the one that takes over. */
  readonly nextMasterKeyFile: string
  readonly adminPasswordFile: string
  readonly caFile: string
  /** Home of the metadata cluster. */
  readonly metadata: string
  /** Home of the managed instance with this id. */
  instance(id: string): string
  /** Working folder of a gateway worker: its audit spool. */
  gateway(worker: number): string
}

/**
 * Opens the data folder, making it at the first start. A folder with other people's files in it is refused: everything in
 * the data folder is Postern's, its mode included.
 * @throws PosternError DATA_FOLDER_UNUSABLE
 */
export function openDataFolder(given: string): DataFolder {
  try {
    mkdirSync(given, { recursive: true, mode: 0o700 })
    const path = realpathSync(given)
    if (lstatSync(path).uid !== currentUid()) {
      throw unusable(`${path} belongs to another user (${lstatSync(path).uid}).`)
    }
    if (!isDataFolder(path)) {
      if (isHalfRestored(path)) throw halfRestored(path)
      if (readdirSync(path).length > 0) throw unusable(`${path} is not empty and is not a data folder of Postern.`)
      writeNodeId(path, randomUUID())
    }
    for (const folder of [path, join(path, 'instances'), join(path, 'gateway')]) openToOwnServers(folder)
    return dataFolderOf(path, readNodeId(path))
  } catch (cause) {
    if (cause instanceof PosternError) throw cause
    const code = (cause as NodeJS.ErrnoException).code ?? 'error'
    throw new PosternError('DATA_FOLDER_UNUSABLE', `The data folder ${given} cannot be used (${code}).`, {
      hint: `${whatToCheck[code] ?? 'Check its owner and mode'}, or choose another with --data-dir.`,
      cause,
    })
  }
}

const whatToCheck: Readonly<Record<string, string>> = {
  EEXIST: 'It is a file: remove it',
  ENOTDIR: 'A part of its path is a file: correct it',
  ENOSPC: 'The disk is full: make room',
  EROFS: 'It is on a read-only file system: mount it for writing',
}

/** Whether a node has been made here. It is the last thing that a restore writes. */
export function isDataFolder(path: string): boolean {
  return existsSync(nodeFile(path))
}

/** Makes `path` a data folder: a start on it uses what it finds there. */
export function writeNodeId(path: string, nodeId: string): void {
  writeAtomically(nodeFile(path), `${JSON.stringify({ nodeId })}\n`, 0o600)
}

/** @throws what reading throws where {@link isDataFolder} does not hold */
export function readNodeId(path: string): string {
  return (JSON.parse(readFileSync(nodeFile(path), 'utf8')) as { nodeId: string }).nodeId
}

/** Where things are in the data folder of a node; touches nothing. */
export function dataFolderOf(path: string, nodeId: string): DataFolder {
  return {
    path,
    nodeId,
    lockFile: join(path, 'lock'),
    masterKeyFile: join(path, 'master.key'),
    nextMasterKeyFile: join(path, 'master.key.next'),
    adminPasswordFile: join(path, 'admin-password'),
    caFile: join(path, 'ca.pem'),
    metadata: join(path, 'metadata'),
    instance: (id) => join(path, 'instances', id),
    gateway: (worker) => join(path, 'gateway', String(worker)),
  }
}

/** Makes the folder if it is missing. Servers of other users work below it: they may pass through, not look around. */
export function openToOwnServers(folder: string): void {
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, currentUid() === 0 ? 0o711 : 0o700)
}

/** Stands in the data folder while a restore fills it, and holds the id that the node will have. */
export function restoreMark(path: string): string {
  return join(path, 'restoring')
}

/** What a restore that was cut short left behind. */
export function isHalfRestored(path: string): boolean {
  return existsSync(restoreMark(path)) && !isDataFolder(path)
}

const nodeFile = (path: string) => join(path, 'node.json')

function halfRestored(path: string): PosternError {
  return new PosternError('DATA_FOLDER_UNUSABLE', `A restore into ${path} was not finished.`, {
    hint: 'Run the same postern restore again, or remove the folder.',
  })
}

/** Writes a file that is either absent, the old one or the whole new one, whatever happens. */
export function writeAtomically(path: string, text: string, mode: number): void {
  const draft = `${path}.${process.pid}.tmp`
  writeFileSync(draft, text, { mode })
  chmodSync(draft, mode)
  renameSync(draft, path)
}

function unusable(message: string): PosternError {
  return new PosternError('DATA_FOLDER_UNUSABLE', message, { hint: 'Choose another folder with --data-dir.' })
}
