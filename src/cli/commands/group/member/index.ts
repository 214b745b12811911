import type { Noun } from '../../../verb.ts'
import { verb as add } from './add.ts'
import { verb as list } from './list.ts'
import { verb as remove } from './remove.ts'

export const member: Noun = { name: 'member', summary: 'Members of a group', verbs: [add, list, remove] }
