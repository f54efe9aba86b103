#include "linkage/forms.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "linkage/latin_letters.h"
#include "linkage/names.h"
#include "support/secret_text.h"

namespace pgmpc {
namespace {

std::string text_of(const SecretBytes& part) { return {part.begin(), part.end()}; }

// Returns the form of a part, or in brackets why it is refused.
std::string formed(const IdentifierForm& form, std::string_view text, PartType type = PartType::text) {
  SecretBytes part = test::secret_text(text);
  const Refusal refusal = apply_form(form, type, part);
  if (refusal != Refusal::kept) {
    EXPECT_EQ(text_of(part), text) << "a refused part is left as it is";
    return "[" + std::string(kRefusalNames[static_cast<std::size_t>(refusal)]) + "]";
  }
  EXPECT_FALSE(part.empty());
  return text_of(part);
}

IdentifierForm form(FormKind kind) {
  IdentifierForm out;
  out.kind = kind;
  return out;
}

TEST(Forms, NumbersOfCitizensPassTheCheckOfEleven) {
  const IdentifierForm bsn = form(FormKind::bsn);
  EXPECT_EQ(formed(bsn, "123456782"), "123456782");
  EXPECT_EQ(formed(bsn, " 1234.56.782 "), "123456782");
  EXPECT_EQ(formed(bsn, "12345672", PartType::number), "012345672");
  EXPECT_EQ(formed(bsn, "012345672"), "012345672");
  EXPECT_EQ(formed(bsn, "123456783"), "[check digit]");
  EXPECT_EQ(formed(bsn, "999999999"), "[reserved value]");
  EXPECT_EQ(formed(bsn, "000000000"), "[reserved value]");
  EXPECT_EQ(formed(bsn, "1234567"), "[wrong shape]");
  EXPECT_EQ(formed(bsn, "onbekend"), "[wrong shape]");
  EXPECT_EQ(formed(bsn, "n.v.t."), "[wrong shape]");
  EXPECT_EQ(formed(bsn, ""), "[empty]");
  EXPECT_EQ(formed(bsn, " \xC2\xA0"), "[empty]");
}

TEST(Forms, NumbersLoseOrGainLeadingZeros) {
  IdentifierForm number = form(FormKind::number);
  EXPECT_EQ(formed(number, "00123"), "123");
  EXPECT_EQ(formed(number, "123", PartType::number), "123");
  EXPECT_EQ(formed(number, "0123.45.678"), "12345678");
  EXPECT_EQ(formed(number, "101.5", PartType::number), "[wrong shape]") << "a fraction is no part of another number";
  EXPECT_EQ(formed(number, "-7", PartType::number), "[wrong shape]");
  EXPECT_EQ(formed(number, "NaN", PartType::number), "[wrong shape]");
  EXPECT_EQ(formed(number, "000"), "[reserved value]");
  EXPECT_EQ(formed(number, "-"), "[empty]");
  EXPECT_EQ(formed(number, "P12"), "[wrong shape]");
  number.width = 6;
  EXPECT_EQ(formed(number, "123"), "000123");
  EXPECT_EQ(formed(number, "0001234567"), "[wrong shape]");
}

TEST(Forms, DatesOfEveryWritingAreOneDate) {
  IdentifierForm date = form(FormKind::date);
  for (std::string_view written : {"1968-03-01", "19680301", "01-03-1968", "1.3.1968", "01/03/1968", " 1968/3/1 "})
    EXPECT_EQ(formed(date, written), "19680301") << written;
  EXPECT_EQ(formed(date, "1968-03-01", PartType::date), "19680301");
  EXPECT_EQ(formed(date, "1968-03-01 12:30:00.5", PartType::date), "19680301");
  EXPECT_EQ(formed(date, "19680301", PartType::number), "19680301");
  EXPECT_EQ(formed(date, "0044-03-15 BC", PartType::date), "[impossible date]");
  EXPECT_EQ(formed(date, "infinity", PartType::date), "[wrong shape]");
  EXPECT_EQ(formed(date, "1968-02-30"), "[impossible date]");
  EXPECT_EQ(formed(date, "29-02-1900"), "[impossible date]");
  EXPECT_EQ(formed(date, "29-02-2000"), "20000229");
  EXPECT_EQ(formed(date, "03/13/1968"), "[impossible date]");
  EXPECT_EQ(formed(date, "1968-03-01 12:30"), "[wrong shape]") << "text with a time is not of an agreed form";
  EXPECT_EQ(formed(date, "68-03-01"), "[wrong shape]");
  EXPECT_EQ(formed(date, "1-1-1"), "[wrong shape]");
  EXPECT_EQ(formed(date, "123456789"), "[wrong shape]");
  EXPECT_EQ(formed(date, "1968--01"), "[wrong shape]");
  EXPECT_EQ(formed(date, "1968-03-"), "[wrong shape]");
  date.order = DateOrder::month_day;
  EXPECT_EQ(formed(date, "03/13/1968"), "19680313");
  date.no_defaults = true;
  EXPECT_EQ(formed(date, "1968-01-01"), "[reserved value]");
}

TEST(Forms, LettersAreTheSameHoweverTheyAreWritten) {
  const IdentifierForm letters = form(FormKind::letters);
  for (std::string_view written : {"Daniël", "DANIËL", "Danie\xCC\x88l", " daniel", "DANI\xC3\x8BL",
                                   "d\xC2\xAD"
                                   "aniel"})
    EXPECT_EQ(formed(letters, written), "DANIEL") << written;
  EXPECT_EQ(formed(letters, "Ægir Þórsson"), "AEGIRTHORSSON");
  EXPECT_EQ(formed(letters, "Łódź"), "LODZ");
  EXPECT_EQ(formed(letters, "Strauß"), "STRAUSS");
  EXPECT_EQ(formed(letters, "IJsbrand"), formed(letters, "\xC4\xB2sbrand")) << "the ligature U+0132";
  EXPECT_EQ(formed(letters, "Nguy\xE1\xBB\x85n"), "NGUYEN");
  EXPECT_EQ(formed(letters, "\xCE\xA9"), "[letters outside the table]") << "Greek";
  EXPECT_EQ(formed(letters, "12-3"), "[empty]");
  EXPECT_EQ(formed(letters, "Dani\xEBl"), "[not UTF-8]") << "LATIN1 bytes";
  EXPECT_EQ(formed(letters, "\xC0\x80"), "[not UTF-8]");
  EXPECT_EQ(formed(letters, "\xED\xA0\x80"), "[not UTF-8]");
}

TEST(Forms, SurnamesWithoutPrefixesAndSecondParts) {
  IdentifierForm surname = form(FormKind::surname_nl);
  EXPECT_EQ(formed(surname, "van den Berg"), "BERG");
  EXPECT_EQ(formed(surname, "Van  Dijk"), "DIJK");
  EXPECT_EQ(formed(surname, "in 't Veld"), "VELD");
  EXPECT_EQ(formed(surname, "in \xE2\x80\x99t Veld"), "VELD");
  EXPECT_EQ(formed(surname, "'s-Gravesande"), "GRAVESANDE");
  EXPECT_EQ(formed(surname, "de Vries-Jansen"), "VRIES");
  EXPECT_EQ(formed(surname, "Jansen - de Vries"), "JANSEN");
  EXPECT_EQ(formed(surname, "O'Brien"), "OBRIEN");
  EXPECT_EQ(formed(surname, "De"), "DE");
  EXPECT_EQ(formed(surname, "- "), "[empty]");
  surname.sound = true;
  EXPECT_EQ(formed(surname, "Meijer"), formed(surname, "Meyer"));
  EXPECT_EQ(formed(surname, "de Boer"), formed(surname, "den Boer"));
  EXPECT_EQ(formed(surname, "Hh"), "[empty]");
}

// Published examples of the code (Postel 1969), as German reference works give them.
TEST(Forms, TheColognePhoneticCode) {
  const auto sound = [](std::string_view name) {
    SecretBytes letters = test::secret_text(name);
    cologne_sound(letters);
    return text_of(letters);
  };
  EXPECT_EQ(sound("WIKIPEDIA"), "3412");
  EXPECT_EQ(sound("MULLERLUDENSCHEIDT"), "65752682");
  EXPECT_EQ(sound("BRESCHNEW"), "17863");
  EXPECT_EQ(sound("HEINZCLASSEN"), "068586");
  EXPECT_EQ(sound("MAIER"), "67");
  EXPECT_EQ(sound("XAVER"), "4837");
  EXPECT_EQ(sound("PHILIP"), "351");
}

TEST(Forms, PostcodesCodesAndText) {
  IdentifierForm postcode = form(FormKind::postcode_nl);
  for (std::string_view written : {"1234 AB", "1234ab",
                                   " 1234\xC2\xA0"
                                   "AB "})
    EXPECT_EQ(formed(postcode, written), "1234AB");
  EXPECT_EQ(formed(postcode, "0234AB"), "[wrong shape]");
  EXPECT_EQ(formed(postcode, "1234"), "[wrong shape]");
  EXPECT_EQ(formed(postcode, "1234ABC"), "[wrong shape]");
  postcode.area = true;
  EXPECT_EQ(formed(postcode, "1234 AB"), "1234");
  EXPECT_EQ(formed(postcode, "1234"), "1234");

  IdentifierForm sex = form(FormKind::code);
  sex.codes = {{"1", "M"}, {"MAN", "M"}, {"2", "V"}, {"VROUW", "V"}};
  EXPECT_EQ(formed(sex, " man "), "M");
  EXPECT_EQ(formed(sex, "1", PartType::number), "M");
  EXPECT_EQ(formed(sex, "v"), "V");
  EXPECT_EQ(formed(sex, "onbekend"), "[unknown code]");
  EXPECT_EQ(formed(sex, ""), "[empty]");

  IdentifierForm text = form(FormKind::text);
  EXPECT_EQ(formed(text, "  van \t Dijk\n"), "van Dijk");
  EXPECT_EQ(formed(text, "Dani\xC3\xABl"), "Danie\xCC\x88l") << "composed and decomposed are one";
  EXPECT_EQ(formed(text, "e\xCC\x81\xCC\xA3"), formed(text, "\xE1\xBA\xB9\xCC\x81")) << "order of marks";
  // A long run of marks is ordered quickly; an insertion sort would take minutes.
  std::string marks = "e", ordered = "e";
  for (int i = 0; i < 300000; i++) marks += "\xCC\x81\xCC\xA3";
  for (int i = 0; i < 300000; i++) ordered += "\xCC\xA3";
  for (int i = 0; i < 300000; i++) ordered += "\xCC\x81";
  EXPECT_TRUE(formed(text, marks) == ordered);
  EXPECT_EQ(formed(text, " \xE2\x80\x8B"), "[empty]");
  text.fold = true;
  EXPECT_EQ(formed(text, "Daniël 3"), "DANIEL 3");
}

TEST(Forms, NamesHaveVersions) {
  EXPECT_EQ(parse_form_name("bsn"), FormKind::bsn);
  EXPECT_EQ(parse_form_name("surname_nl/1"), FormKind::surname_nl);
  for (std::string_view name : {"bsn/2", "bsn/", "BSN", "", "text/11"})
    EXPECT_THROW(parse_form_name(name), Error) << name;
}

TEST(Forms, EveryLetterOfTheTableIsAToZ) {
  int letters = 0;
  for (char32_t c = 0; c < 0x2000; c++) {
    const LatinLetter* letter = latin_letter(c);
    if (letter == nullptr) continue;
    letters++;
    EXPECT_TRUE(letter->code == c);
    ASSERT_NE(*letter->letters, '\0');
    for (const char* a = letter->letters; *a != '\0'; a++)
      EXPECT_TRUE(*a >= 'A' && *a <= 'Z') << std::hex << static_cast<unsigned>(c);
  }
  EXPECT_GT(letters, 580);
}

}  // namespace
}  // namespace pgmpc
