import type { Noun } from '../../verb.ts'
import { verb as assign } from './assign.ts'
import { verb as assignments } from './assignments.ts'
import { verb as create } from './create.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'
import { verb as unassign } from './unassign.ts'
import { verb as update } from './update.ts'

export const workspace: Noun = {
  name: 'workspace',
  summary: 'Workspaces, and who is assigned to this one',
  verbs: [create, list, get, update, assign, assignments, unassign],
}
