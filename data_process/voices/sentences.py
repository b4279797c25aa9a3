"""Sentences composed by rule: grammars over lists of words, rich in lips that close, round and open."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

Grammar = Mapping[str, Sequence[str]]  # symbol → what it may become; {names} in it become something in turn


def compose(language: str, clauses: int, random: np.random.Generator) -> list[str]:
    """Words and marks (, . ? ! or their Chinese forms) of so many clauses; the words of Mandarin are Chinese words."""
    grammar, joints = GRAMMARS[language]
    text, symbol = "", "clause"
    for left in range(clauses, 0, -1):
        text += " " + _expanded(grammar, symbol, random)
        joint = _drawn(joints if left > 1 else grammar["end"], random)
        text, symbol = text + joint, "statement" if joint[-1].isalpha() else "clause"  # after because: no question
    found = re.findall(r"\w+|[^\w\s]", text)
    return _with_articles(found) if language == "en" else found


def written(language: str, words: Sequence[str]) -> str:
    """The sentence as one writes it."""
    if language == "zh":
        return "".join(words)
    text = re.sub(r" (?=[,.?!])", "", " ".join(words))
    return re.sub(r"(^|[.?!] )([a-z])", lambda start: start[1] + start[2].upper(), text)


def _expanded(grammar: Grammar, symbol: str, random: np.random.Generator) -> str:
    option = _drawn(grammar[symbol], random)
    return re.sub(r"\{(\w+)\}", lambda part: _expanded(grammar, part[1], random), option)


def _drawn(options: Sequence[str], random: np.random.Generator) -> str:
    return options[int(random.integers(len(options)))]


def _with_articles(words: list[str]) -> list[str]:
    """`a` before a vowel becomes `an`."""
    following = [*words[1:], ""]
    return ["an" if word == "a" and after[:1] in "aeiou" and after else word
            for word, after in zip(words, following, strict=True)]  # fmt: skip


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", " ").split("|"))


ENGLISH: Grammar = {
    "statement": _listed("""{who} {did} {what} {where} | {who} {did} {what} | {who} {went} {how} |
        {when}, {who} {did} {what} | {who} {went} {where}, {how} | {the} {thing} {seemed} {like} |
        {who} bought {food}, {food} and {food} | {who} saw {number} {things} {where} |
        {who} and {who} {went} {where} | {how}, {who} {did} {what} | {who} would {do} {what} {when} |
        {who} could {do} {what}"""),
    "clause": _listed("""{statement} | {statement} | {statement} | {statement} | please {do} {what} {where} |
        could you {do} {what} {where} | did {who} {do} {what} {when} | what a {like} {thing} |
        {number}, {number}, {number} {things} | oh, {statement}"""),
    "end": (".", ".", ".", ".", "?", "!"),
    "the": _listed("""the | my | our | this | that | his | her | every | another | one"""),
    "what": _listed("""{the} {thing} | {the} {like} {thing} | a {like} {thing} | {number} {things} |
        {number} {like} {things}"""),
    "who": _listed("""Peter | Mary | Bob | Emma | Victor | Troy | Papa | Ruth | Sue | George | my mother |
        my father | our brother | the old woman | the young teacher | a fisherman | the baker | everybody | nobody |
        the children | both boys | most people | five farmers | we | they | you | the pilot | the queen |
        a few workers | my aunt | the judge | a thief | the whole family"""),
    "did": _listed("""moved | found | bought | wrapped | opened | painted | brought | pushed | pulled | measured |
        noticed | dropped | borrowed | wanted | watched | covered | put away | threw away | chose | washed | loved |
        forgot about | asked for | thought of | pointed at | laughed at | looked through | described | mixed |
        stepped over | jumped off | swept around | voted for | remembered | breathed on"""),
    "do": _listed("""move | find | buy | wrap | open | paint | bring | push | pull | measure | drop | borrow |
        watch | cover | choose | wash | love | forget | ask for | think of | point at | look through | describe |
        mix | save | improve | believe in | take off | give back | throw away"""),
    "went": _listed("""walked home | sat down | stood up | slept | laughed | came back | ran away | moved out |
        sang | worked | whispered | smiled | talked | jumped up | drove off | flew south | waited | cooked |
        fell over | looked up | breathed in | said yes | woke up | stopped"""),
    "seemed": _listed("""seemed | looked | sounded | became | felt | was | grew | stayed"""),
    "like": _listed("""blue | yellow | brown | big | small | smooth | rough | soft | warm | cold | deep | heavy |
        empty | full | cheap | beautiful | awful | funny | famous | huge | broken | purple | white | green | wooden |
        open | fresh | thick | thin | proud | loud | slow | quick | strange | whole | loose | blunt | vague | usual |
        young | old | enormous | royal | pure | sharp | moist | simple | impossible"""),
    "thing": _listed("""bowl | boat | window | book | bottle | apple | bubble | pepper | map | lamp | farm |
        village | river | umbrella | piano | table | photo | leaf | movie | room | moon | spoon | shoe | wolf | toy |
        voice | oil | coin | house | mouth | mouse | cloud | town | garage | treasure | television | vision |
        measure | beige coat | box | watch | church | bridge | orange | judge | path | month | tooth | father |
        feather | weather | bird | girl | word | world | nurse | park | car | heart | star | door | horse | chair |
        bear | beard | ear | year | fire | hour | flower | pool | soup | fruit | juice | music | view | cup | bus |
        duck | sun | ring | song | king | bank | finger | queen | square | quilt | street | spring | string |
        screen | cliff | sixth shelf | desk | milk | film | elbow | twelfth step | problem | public garden"""),
    "things": _listed("""bowls | boats | windows | books | bottles | apples | bubbles | peppers | maps | lamps |
        farms | villages | movies | rooms | moons | spoons | shoes | wolves | toys | voices | coins | houses | mice |
        clouds | boxes | watches | bridges | oranges | paths | months | teeth | feathers | birds | words | horses |
        chairs | bears | flowers | pools | songs | fingers | streets | steps | problems | leaves | waves | stamps |
        plums | puppies"""),
    "food": _listed("""bread | butter | pepper | plums | fish | milk | coffee | soup | beef | veal | figs |
        mushrooms | apple juice | oil | pie | cheese | ham | jam | oatmeal | tofu | mango | yogurt | cookies |
        thyme"""),
    "number": _listed("""two | three | four | five | six | seven | eight | nine | ten | eleven | twelve | forty"""),
    "where": _listed("""by the window | above the water | under the table | over the bridge | behind the house |
        from the shop | with both arms | in the middle of the room | at the top of the hill | near the beach |
        before supper | after the storm | through the open door | for my father | without a map | up the path |
        in the village | off the boat | of all places | between two mountains | along the shore |
        beyond the woods"""),
    "when": _listed("""today | this morning | on Monday | every evening | at noon | in July | before breakfast |
        last month | as usual | from now on | now and then | for a few weeks | once upon a time |
        after the movie"""),
    "how": _listed("""slowly | quickly | softly | very well | again and again | at last | of course | perhaps |
        by bus | as fast as possible | without a word | for ever | in the warm rain | all the way home | above all |
        with pleasure | together | before anyone knew | fairly often | beautifully | somehow | far too loudly"""),
}  # fmt: skip
ENGLISH_JOINTS = (".", ".", ",", ", and", ", but", " because", " while", " when", "?", "!")

MANDARIN: Grammar = {
    "statement": _listed("""{谁} {在哪} {做} 了 {什么} | {时候} {谁} {做} 了 {什么} | {谁} {时候} {去} |
        {谁} 把 {什么} {怎么了} | {什么} {很} {样} | {谁} 和 {谁} {在哪} {去} | {时候}， {谁} {做} 过 {什么} |
        {谁} 给 {谁} 买 了 {什么}、 {什么} 和 {什么} | {谁} 不 {想} {做} {什么} | {谁} 有没有 {做} {什么} |
        {谁} {想} {在哪} {去} | {谁} 的 {东西} {很} {样}"""),
    "clause": _listed("""{statement} | {statement} | {statement} | {statement} | {statement} |
        请 把 {什么} {怎么了} | 好 {样} 的 {东西} | {数} {个}、 {数} {个}、 {数} {个}"""),
    "end": ("。", "。", "。", "。", "吗？", "吧！", "呢？", "！"),
    "谁": _listed("""我 | 你 | 他们 | 我们 | 爸爸 | 妈妈 | 妹妹 | 弟弟 | 爷爷 | 奶奶 | 老师 | 朋友 | 孩子们 | 女儿 |
        儿子 | 叔叔 | 婆婆 | 王先生 | 李老板 | 司机 | 邻居 | 警察 | 医生 | 农民 | 军人 | 服务员 | 外国人 | 年轻人 |
        小朋友 | 母亲 | 父亲 | 双胞胎"""),
    "做": _listed("""买 | 卖 | 放 | 拿 | 画 | 看 | 找 | 喝 | 吃 | 洗 | 选 | 借 | 送 | 拍 | 搬 | 摸 | 摆 | 骑 | 用 |
        喜欢 | 发现 | 帮忙找 | 忘记 | 准备 | 欣赏 | 买到 | 碰到 | 抱着 | 捧着 | 盖住 | 学习 | 保护 | 描写 | 翻开 |
        扔掉 | 追赶"""),
    "什么": _listed("""{东西} | {样} 的 {东西} | {数} {个} {东西} | {谁} 的 {东西} | 那 个 {东西} | 这 把 {东西}"""),
    "东西": _listed("""苹果 | 葡萄 | 面包 | 牛奶 | 米饭 | 包子 | 白菜 | 豆腐 | 木瓜 | 西瓜 | 蘑菇 | 螃蟹 | 鱼 |
        雨伞 | 绿茶 | 裙子 | 皮包 | 帽子 | 棉被 | 毛衣 | 杯子 | 瓶子 | 盆子 | 地图 | 报纸 | 照片 | 手机 | 电话 |
        飞机 | 火车 | 帆船 | 房子 | 窗户 | 门票 | 钥匙 | 月亮 | 云彩 | 风筝 | 玫瑰花 | 森林 | 瀑布 | 公园 | 学校 |
        博物馆 | 图书馆 | 熊猫 | 兔子 | 猫 | 马 | 狮子 | 鹅 | 鸭子 | 耳朵 | 嘴巴 | 鼻子 | 头发 | 肩膀 | 胸口 | 娃娃 |
        琵琶 | 音乐 | 故事 | 词典 | 问题 | 办法 | 梦 | 泡泡 | 波浪 | 佛像 | 拼图 | 宝贝 | 翅膀 | 丝绸 | 草莓 | 柿子 |
        日记 | 水饺 | 原因 | 圆桌"""),
    "样": _listed("""白 | 黑 | 红 | 绿 | 黄 | 紫 | 大 | 小 | 胖 | 美 | 慢 | 快 | 热 | 冷 | 暖和 | 漂亮 | 便宜 |
        好吃 | 奇怪 | 普通 | 方便 | 有名 | 舒服 | 干净 | 古老 | 勇敢 | 聪明 | 破 | 旧 | 薄 | 肥 | 远 | 软 | 圆 | 宽 |
        温柔 | 安全 | 危险 | 丰富 | 可爱 | 麻烦 | 友好"""),
    "很": _listed("""很 | 真 | 非常 | 特别 | 比较 | 不 | 也很 | 都很 | 最"""),
    "想": _listed("""想 | 要 | 会 | 能 | 敢 | 愿意 | 打算 | 可以"""),
    "去": _listed("""跑步 | 跳舞 | 爬山 | 拍照 | 唱歌 | 睡觉 | 说话 | 游泳 | 上学 | 回家 | 旅游 | 买菜 | 吃饭 |
        喝水 | 排队 | 发呆 | 哭 | 笑 | 飞 | 去北京 | 去湖边 | 坐火车 | 骑马 | 打篮球 | 听音乐 | 看比赛 | 去云南"""),
    "怎么了": _listed("""放 在 桌子 上 | 忘 在 家里 | 带 回 学校 | 洗 干净 | 搬 出去 | 拿 过来 | 送 给 朋友 |
        挂 在 墙 上 | 扔 进 水里 | 摆 在 窗边 | 还给 老师 | 涂 成 紫色 | 捧 在 手里 | 分 成 四 份 | 卖 掉 |
        吃 完"""),
    "在哪": _listed("""在 公园 里 | 在 湖边 | 在 火车 上 | 在 图书馆 | 在 雨 中 | 在 月光 下 | 在 门口 | 在 北京 |
        在 苏州 | 在 院子 里 | 在 床 上 | 在 楼下 | 在 海边 | 从 外面 | 跟 朋友 | 在 森林 里 | 在 屋子 里 |
        在 码头"""),
    "时候": _listed("""今天 | 昨天 | 明天 | 早上 | 晚上 | 中午 | 下午 | 周末 | 夏天 | 秋天 | 冬天 | 去年 | 每天 |
        现在 | 以前 | 后来 | 突然 | 慢慢 | 有时候 | 最近 | 刚才 | 半夜 | 从前 | 平时 | 春节"""),
    "数": _listed("""一 | 两 | 三 | 四 | 五 | 六 | 七 | 八 | 九 | 十 | 十二 | 百"""),
    "个": _listed("""个 | 本 | 杯 | 瓶 | 把 | 盆 | 份 | 朵 | 片 | 匹 | 双 | 块"""),
}  # fmt: skip
MANDARIN_JOINTS = ("。", "。", "，", "，", "， 可是", "， 所以", "， 因为", "？", "！")

GRAMMARS: Mapping[str, tuple[Grammar, tuple[str, ...]]] = {
    "en": (ENGLISH, ENGLISH_JOINTS),
    "zh": (MANDARIN, MANDARIN_JOINTS),
}
