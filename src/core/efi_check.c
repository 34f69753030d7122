/* What is wrong with a UEFI image, in words; see efi_check.h. */
#include "core/efi_check.h"

static void say_no_pe(struct span head, enum pe_fault fault, struct text *why)
{
	const char *other = fault == PE_FAULT_NO_MZ ? pe_guess_other(head) : NULL;

	if (other)
		text_addf(why, "is no UEFI image (PE) but %s", other);
	else
		text_adds(why, pe_fault_sentence(fault));
}

static void say_machine(uint16_t machine, enum arch wanted, struct text *why)
{
	enum arch arch = pe_arch_of(machine);

	if (arch != ARCH_OTHER)
		text_addf(why, "is an image for %s", arch_name(arch));
	else
		text_addf(why, "is an image for machines of type %#x", (unsigned)machine);
	text_addf(why, ", and %s is wanted", arch_name(wanted));
}

bool efi_check(struct span head, uint64_t file_size, const struct efi_wanted *wanted,
	struct pe *ret, struct text *why)
{
	struct pe pe;
	enum pe_fault fault = pe_decode(head, file_size, &pe);

	if (fault != PE_FAULT_NONE) {
		say_no_pe(head, fault, why);
	} else if (pe.subsystem != PE_SUBSYSTEM_EFI_APPLICATION) {
		text_adds(why, "is a PE image, but no UEFI application");
	} else if (wanted->arch != ARCH_UNKNOWN && pe.machine != pe_machine_of(wanted->arch)) {
		say_machine(pe.machine, wanted->arch, why);
	} else if (wanted->is_signed && !pe.is_signed) {
		text_adds(why, "is not signed, and Secure Boot loads nothing unsigned");
	} else {
		*ret = pe;
		return true;
	}
	return false;
}
