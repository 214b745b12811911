import type { Noun } from '../../verb.ts'
import { verb as add } from './add.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'
import { verb as remove } from './remove.ts'
import { verb as test } from './test.ts'
import { verb as update } from './update.ts'

export const dataSource: Noun = {
  name: 'data-source',
  summary: 'Data sources: the ways to an instance, one admin and any number of read-only ones',
  verbs: [add, list, get, update, test, remove],
}
