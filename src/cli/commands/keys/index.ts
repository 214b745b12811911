import type { Noun } from '../../verb.ts'
import { verb as list } from './list.ts'
import { verb as rotate } from './rotate.ts'
import { verb as rotateMaster } from './rotate-master.ts'

export const keys: Noun = {
  name: 'keys',
  summary: 'Signing keys of access tokens and database credentials, and the master key',
  verbs: [list, rotate, rotateMaster],
}
