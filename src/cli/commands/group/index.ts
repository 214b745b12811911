import type { Noun } from '../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'
import { member } from './member/index.ts'
import { verb as update } from './update.ts'

export const group: Noun = {
  name: 'group',
  summary: 'Groups of users, service principals and other groups',
  verbs: [create, list, get, update, remove],
  nouns: [member],
}
