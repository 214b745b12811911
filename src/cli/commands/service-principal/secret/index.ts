import type { Noun } from '../../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as list } from './list.ts'

export const secret: Noun = {
  name: 'secret',
  summary: 'Secrets that a program signs in with, at most five at a time',
  verbs: [create, list, remove],
}
