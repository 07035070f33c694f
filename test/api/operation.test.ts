import { Type } from '@sinclair/typebox'
import t from 'tap'
import { id, idOrName, maybe, ref, strict, text } from '../../schemas/common.ts'
import { Skill } from '../../schemas/skill.ts'
import { type Endpoint, endpoint } from '../../src/api/endpoint.ts'
import { compile, compileAll } from '../../src/api/operation.ts'
import { done, first, page } from '../../src/api/replies.ts'

/** A declaration that contradicts itself stops the start, and says which and why. */

const good: Endpoint = {
  http: 'GET /skills/:skillId',
  rpc: 'GetSkills',
  summary: 'Get a skill',
  tag: 'Skills',
  input: strict({ skillId: idOrName('The skill', 'billing') }),
  reply: first(ref(Skill), 'skillId')
}

const listSkills = endpoint({ ...good, http: 'GET /skills', input: strict({}), reply: page(ref(Skill)) })

t.test('a declaration that contradicts itself is refused with its name and the reason', async t => {
  const wrong: [RegExp, Partial<Endpoint>][] = [
    [/endpoint x \(GET \/skills\/:skillId\): the upstream has no method GetSkils/, { rpc: 'GetSkils' as Endpoint['rpc'] }],
    [/the path names skillId, which is not a field of the input/, { input: strict({ id: id('x') }) }],
    [/name: the upstream has no form for/, { input: strict({ skillId: id('x'), name: Type.Null() }) }],
    [/rename names nothing/, { rename: { nothing: 'x' } }],
    [/`all` names userId, which is not a field/, { all: { userId: listSkills } }],
    [/exactlyOne names userId, which is not a field/, { exactlyOne: ['userId', 'skillId'] }],
    [/two fields are sent as skill_name/, { input: strict({ skillId: idOrName('x', 'y'), skillName: text('x') }) }],
    [
      /there is no example for "x"/,
      { http: 'PATCH /skills/:skillId', rpc: 'SetSkillInfo', input: strict({ skillId: id('x'), skillName: text('x') }) }
    ],
    [/no form for/, { reply: page(Type.Union([Type.String(), Type.Object({})])) }]
  ]
  for (const [message, change] of wrong) t.throws(() => compile('x', { ...good, ...change }), { message })
  t.ok(compile('x', good))
})

t.test('two endpoints of one name or address are refused', async t => {
  t.throws(() => compileAll([{ getSkill: good }, { getSkill: { ...good, http: 'GET /other/:skillId' } }]), {
    message: /operationId getSkill is declared twice: GET \/skills\/:skillId and GET \/other\/:skillId/
  })
  t.throws(
    () => compileAll([{ getSkill: good, getOther: { ...good, http: 'GET /skills/:id', input: strict({ id: id('x') }), reply: done } }]),
    { message: /GET \/skills\/:id is declared twice: getSkill and getOther/ }
  )
  const deletes: Endpoint = {
    ...good,
    http: 'DELETE /skills',
    rpc: 'DelSkill',
    input: strict({ skillId: maybe(id('x')) }),
    reply: done,
    all: { skillId: listSkills }
  }
  t.throws(() => compileAll([{ deleteSkills: deletes }]), { message: /`all` counts with GET \/skills, which is not declared/ })
})

t.test('a declaration determines scopes, places of fields and the schema', async t => {
  const { schema, scopes, fieldLocations, method, url } = compile('updateSkill', {
    ...good,
    http: 'PATCH /skills/:skillId',
    rpc: 'SetSkillInfo',
    input: strict({ skillId: idOrName('The skill', 'billing'), skillName: text('x', { examples: ['sales'] }) }),
    rename: { skillName: 'newSkillName' },
    fixed: { output: 'json' },
    reply: done
  })
  t.same([method, url, scopes], ['PATCH', '/skills/:skillId', ['skills:write']])
  t.same(
    [...fieldLocations],
    [
      ['skillId', 'path'],
      ['skillName', 'body']
    ]
  )
  t.match(schema, {
    operationId: 'updateSkill',
    tags: ['Skills'],
    summary: 'Get a skill',
    'x-voximplant-method': 'SetSkillInfo',
    'x-voximplant-params': ['new_skill_name', 'output', 'skill_id', 'skill_name'],
    'x-voxgate-scopes': ['skills:write']
  })
})
