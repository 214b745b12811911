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
    const nodeFile = join(path, 'node.json')
    if (lstatSync(path).uid !== currentUid()) {
      throw unusable(`${path} belongs to another user (${lstatSync(path).uid}).`)
    }
    if (!existsSync(nodeFile)) {
      if (readdirSync(path).length > 0) throw unusable(`${path} is not empty and is not a data folder of Postern.`)
      writeAtomically(nodeFile, `${JSON.stringify({ nodeId: randomUUID() })}\n`, 0o600)
    }
    // Servers of other users work in folders below; as root it must be possible to pass through, not to look around.
    for (const folder of [path, join(path, 'instances'), join(path, 'gateway')]) {
      mkdirSync(folder, { recursive: true })
      chmodSync(folder, currentUid() === 0 ? 0o711 : 0o700)
    }
    const { nodeId } = JSON.parse(readFileSync(nodeFile, 'utf8')) as { nodeId: string }
    return {
      path,
      nodeId,
      lockFile: join(path, 'lock'),
      masterKeyFile: join(path, 'master.key'),
      adminPasswordFile: join(path, 'admin-password'),
      caFile: join(path, 'ca.pem'),
      metadata: join(path, 'metadata'),
      instance: (id) => join(path, 'instances', id),
      gateway: (worker) => join(path, 'gateway', String(worker)),
    }
  } catch (cause) {
    if (cause instanceof PosternError) throw cause
    throw new PosternError('DATA_FOLDER_UNUSABLE', `The data folder ${given} cannot be used.`, {
      hint: `${(cause as NodeJS.ErrnoException).code ?? 'error'}: check its owner and mode, or choose another with --data-dir.`,
      cause,
    })
  }
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
