import type { Noun } from '../../verb.ts'
import * as list from './list.ts'
import * as rotate from './rotate.ts'

export const keys: Noun = {
  name: 'keys',
  summary: 'Signing keys of access tokens and database credentials',
  verbs: [list, rotate],
}
