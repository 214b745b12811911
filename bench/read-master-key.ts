import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MasterKey } from '../src/crypto/master-key.ts'
import type { RunningPostern } from '../test/support/running-postern.ts'

/** The key that the bench's own Postern made in its data folder. */
export function readMasterKey(postern: RunningPostern): MasterKey {
  return MasterKey.parse(readFileSync(join(postern.dataDir, 'master.key'), 'utf8').trim())
}
