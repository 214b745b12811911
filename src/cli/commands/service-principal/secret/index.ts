import type { Noun } from '../../../verb.ts'
import * as create from './create.ts'
import * as remove from './delete.ts'
import * as list from './list.ts'

export const secret: Noun = {
  name: 'secret',
  summary: 'Secrets that a program signs in with, at most five at a time',
  verbs: [create, list, remove],
}
