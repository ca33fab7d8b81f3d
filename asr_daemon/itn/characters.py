"""The characters of spoken numbers, and the fold that makes a traditional text look simplified.

Every fold is one character to one character: offsets in the folded text are offsets in the raw one. Only
characters that rules or protected words look at are folded; what is kept is copied from the raw text.
"""

from __future__ import annotations

import re

DIGITS = "零〇一二三四五六七八九幺"  # in a digit string; 两 only counts
DIGIT_VALUES = {
    **{character: value for value, character in enumerate("零一二三四五六七八九")},
    "〇": 0,
    "幺": 1,
    "两": 2,
}
NUMERALS = "零〇一二两三四五六七八九十百千万亿幺"
MASK = "\ue000"  # stands where a numeral must not be read

N = f"[{NUMERALS}]+"  # a run of numerals; runs are cut off at LONGEST_RUN, so this cannot explode
D = f"[{DIGITS}]"
NOT_N = f"(?![{NUMERALS}])"
FEW = "几(?![乎何率经许])"  # how many; not the adverb 几乎
RUN = re.compile(N)
LONGEST_RUN = 40  # no spoken number is longer; a longer run is noise and stays

_TRADITIONAL = (
    "剛給繳麼訪塗廈瀋"
    "兩萬億點號塊錢個幾數餘來鐘鍾週禮時歲樓線雙農曆陰舊閏臘該這後裡裏間樣種並從們開關會議話買賣價費單"
    "雞長門說講談補強調總結歸納記還對無問題見條約頁節層體師員館醫達陽變過進遠運選連遊東車軍龍鳳鳥馬魚"
    "麗飛風雲電聲頭顏類願顧順項須領頻顆額養駕駛騎騷驗驚鬥鬧鮮麥黃齊齒齡龜龐舉與業叢專嚴喪豐臨為烏樂喬"
    "習鄉書亂爭虧亞產畝親僅侖倉儀眾優夥傘偉傳傷倫偽傭債傾償儲兒黨蘭興獸內岡冊寫馮衝決況凍淨準減湊憑凱"
    "擊創別劑劍勸辦務動勵勁勞勢勳勝區華協盧衛廠廳歷厲壓厭縣參發敘葉嘆嗎啟吳響嚐團園圍國圖圓聖場堅壇壞"
    "墳墜壘牆壯殼處備夠夾奪奮獎婦媽嬰孫學寧寶實審寬尋導將爾塵嘗堯屆屬島嶺豈幣帳帶幫幹慶應廟廢異棄張彈"
    "當錄憂懷態恆惡悶懸懼慘慣慮戰戲戶撲擴掃揚換據損搖攜擺敵斂斷晉曉暫術機殺雜權楊極構槍橋檔檢標橫歡歐"
    "殘毀畢氣漢湯溝滅滿漁濃濟瀏灣灑災爐熱煙燒愛爺牽狀獨環現瑪畫療癒瘋監盤礎確碼稱穩窮競筆範築簡籃糧糾"
    "紀紅級紙細終組經綠維網緊練縱織繩續罰羅職聯聽腦腳臉艦藝蘋莊萊蓋藍蘇虛蟲裝規視覺觀計訂認討讓訓設許"
    "訴診評試詩詳語誤請論證識譯護讀貝財責貨質購貴資賓賞賠賽贏趙跡踐軟軸較載輕輪輸轉邊遼遷邁遲適遞遺郵"
    "鄭醬釋針釘鈍鈕鋼錯鍋鎖鎮鏡鐵閃閉閒聞閱闆闊隊陸際險隱雖難靈靜頂預飯飲駐驅髮鬆鳴擇攝壺壽夢奧妝妳姊"
    "嶄廣彌徑徵憲戀擔擬擾攔攤曬暈棟槓樁樹櫃欄殯氈溫潔潤澤瀕灘煉爍獻獵瑣瓏甦癡盞睏矚磚禦禪稅穀穎竅簽籌"
    "籤糰綜綱緩緻緣縮縫縷纏罷聳膚膽膠臟舖艱菸蓮蔣薦蕭藥蘿虜螢蠟襲詞詢誌誠誕誰諾謀謝謹譜讚豬賀賈賬賴贈"
    "贊躍軌軒輛輝輯辭迴邏鄧鄰釐鈔銀銅銘銷鋪鋒錦鍵鍛鑑鑰閣隨隻韓韻頓頗飄飾餅饋駁駱騰髒魯鯉鵝鵬鹽麵"
)
_SIMPLIFIED = (
    "刚给缴么访涂厦沈"
    "两万亿点号块钱个几数余来钟钟周礼时岁楼线双农历阴旧闰腊该这后里里间样种并从们开关会议话买卖价费单"
    "鸡长门说讲谈补强调总结归纳记还对无问题见条约页节层体师员馆医达阳变过进远运选连游东车军龙凤鸟马鱼"
    "丽飞风云电声头颜类愿顾顺项须领频颗额养驾驶骑骚验惊斗闹鲜麦黄齐齿龄龟庞举与业丛专严丧丰临为乌乐乔"
    "习乡书乱争亏亚产亩亲仅仑仓仪众优伙伞伟传伤伦伪佣债倾偿储儿党兰兴兽内冈册写冯冲决况冻净准减凑凭凯"
    "击创别剂剑劝办务动励劲劳势勋胜区华协卢卫厂厅历厉压厌县参发叙叶叹吗启吴响尝团园围国图圆圣场坚坛坏"
    "坟坠垒墙壮壳处备够夹夺奋奖妇妈婴孙学宁宝实审宽寻导将尔尘尝尧届属岛岭岂币帐带帮干庆应庙废异弃张弹"
    "当录忧怀态恒恶闷悬惧惨惯虑战戏户扑扩扫扬换据损摇携摆敌敛断晋晓暂术机杀杂权杨极构枪桥档检标横欢欧"
    "残毁毕气汉汤沟灭满渔浓济浏湾洒灾炉热烟烧爱爷牵状独环现玛画疗愈疯监盘础确码称稳穷竞笔范筑简篮粮纠"
    "纪红级纸细终组经绿维网紧练纵织绳续罚罗职联听脑脚脸舰艺苹庄莱盖蓝苏虚虫装规视觉观计订认讨让训设许"
    "诉诊评试诗详语误请论证识译护读贝财责货质购贵资宾赏赔赛赢赵迹践软轴较载轻轮输转边辽迁迈迟适递遗邮"
    "郑酱释针钉钝钮钢错锅锁镇镜铁闪闭闲闻阅板阔队陆际险隐虽难灵静顶预饭饮驻驱发松鸣择摄壶寿梦奥妆你姐"
    "崭广弥径征宪恋担拟扰拦摊晒晕栋杠桩树柜栏殡毡温洁润泽濒滩炼烁献猎琐珑苏痴盏困瞩砖御禅税谷颖窍签筹"
    "签团综纲缓致缘缩缝缕缠罢耸肤胆胶脏铺艰烟莲蒋荐萧药萝虏萤蜡袭词询志诚诞谁诺谋谢谨谱赞猪贺贾账赖赠"
    "赞跃轨轩辆辉辑辞回逻邓邻厘钞银铜铭销铺锋锦键锻鉴钥阁随只韩韵顿颇飘饰饼馈驳骆腾脏鲁鲤鹅鹏盐面"
)
if len(_TRADITIONAL) != len(_SIMPLIFIED):  # a slip while editing would shift every character after it
    raise AssertionError("the traditional and simplified tables differ in length")
_FOLD = str.maketrans(_TRADITIONAL, _SIMPLIFIED)


def fold(text: str) -> str:
    """Return ``text`` in simplified characters; same length, character for character."""
    return text.translate(_FOLD)
