import type { Noun } from '../../verb.ts'
import { verb as list } from './list.ts'
import { verb as rotate } from './rotate.ts'

export const keys: Noun = {
  name: 'keys',
  summary: 'Signing keys of access tokens and database credentials',
  verbs: [list, rotate],
}
