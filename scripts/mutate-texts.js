/**
 * A plugin of Stryker: leaves out texts that are for people, such as the detail of a problem or the description of a field. Their wording is
 * checked by the laws and the linter, not by the tests of a room.
 */
const textFields = new Set(['description', 'detail', 'expects', 'examples', 'title'])

const keyOf = ({ key }) => key.name ?? key.value

const isText = ({ node, parentPath: parent, listKey, key }) => {
  if (parent?.isObjectProperty()) return key === 'value' && textFields.has(keyOf(parent.node))
  if (!parent?.isNewExpression() || listKey !== 'arguments') return false
  const { name = '' } = parent.node.callee
  return name === 'Problem' ? key === 1 : name.endsWith('Error') && node.type !== 'ObjectExpression'
}

export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'texts',
    value: {
      shouldIgnore(path) {
        if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined
        // A text may be chosen by a condition, which is not left out itself.
        let outer = path
        while (
          outer.parentPath?.isConditionalExpression() ||
          outer.parentPath?.isTemplateLiteral() ||
          outer.parentPath?.isArrayExpression()
        )
          outer = outer.parentPath
        return isText(outer) ? 'a text for people' : undefined
      }
    }
  }
]
